import { describe, expect, it } from "vitest";
import { languageOf, scriptShares } from "../../document-team/language.ts";

const guess = (text: string): string => {
  const words = Array.from(new Intl.Segmenter("en", { granularity: "word" }).segment(text), ({ segment, isWordLike }) =>
    isWordLike === true ? segment.toLowerCase() : "",
  );
  return languageOf(
    words.filter((word) => word !== ""),
    scriptShares(text),
  );
};

describe("the language of a text", () => {
  it.each([
    ["English", "The quick brown fox jumps over the lazy dog, and it is not the first time that this has been done by a fox."],
    ["German", "Der schnelle Fuchs springt über den faulen Hund, und das ist nicht das erste Mal, dass er es für die Zuschauer macht."],
    ["French", "Le renard saute par-dessus le chien paresseux, et ce n'est pas la première fois que cela se fait dans les livres."],
    ["Spanish", "El zorro salta sobre el perro perezoso y no es la primera vez que lo hace para los espectadores del parque."],
    ["Portuguese", "A raposa salta sobre o cão preguiçoso e não é a primeira vez que isso acontece para os espectadores do parque em uma tarde."],
    ["Italian", "La volpe salta sopra il cane pigro e non è la prima volta che questo succede nella storia della città con gli spettatori."],
    ["Russian", "Лиса прыгает через ленивую собаку, и это не первый раз, когда она так делает для всех, кто на неё смотрит."],
    ["Japanese", "速い茶色のキツネは怠け者の犬を飛び越えます。"],
    ["Korean", "빠른 갈색 여우가 게으른 개를 뛰어넘습니다."],
    ["Chinese", "敏捷的棕色狐狸跳过了懒狗。"],
    ["Greek", "Η γρήγορη αλεπού πηδάει πάνω από το τεμπέλικο σκυλί."],
    ["Arabic", "الثعلب البني السريع يقفز فوق الكلب الكسول."],
    ["Hindi", "तेज़ भूरी लोमड़ी आलसी कुत्ते के ऊपर कूदती है।"],
  ])("is found: %s", (language, text) => {
    expect(guess(text)).toBe(language);
  });

  it("is undetermined where there is too little to tell", () => {
    expect(guess("foo bar")).toBe("undetermined");
    expect(guess("alpha beta gamma delta epsilon zeta eta theta iota kappa lambda")).toBe("undetermined");
    expect(guess("")).toBe("undetermined");
  });

  it("is that of the prose, also when names and code in Latin letters are mixed in", () => {
    expect(guess("安装 TypeScript 和 Node 之后，运行 npm install 命令即可开始使用这个库。")).toBe("Chinese");
  });
});

describe("the scripts of a text", () => {
  it("add up to one, the largest first", () => {
    const shares = scriptShares("abc где 漢字 1234 !?");
    expect(Object.keys(shares)).toEqual(["Latin", "Cyrillic", "Han"]);
    expect(Object.values(shares).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 10);
  });

  it("are none where there are no letters", () => {
    expect(scriptShares("123 🐈 …")).toEqual({});
  });
});
