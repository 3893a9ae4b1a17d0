/** Which language a text is probably written in: by its script where that decides, otherwise by its most frequent small words. */

/** Small words of each language, the most telling first. They carry no meaning, so they are no key terms either. */
const smallWords = {
  English:
    "the and of to in is that for it with as are be this on or by from at you not if an can will your have which when use all has was but its may any do we they been",
  German:
    "der die und das nicht ist ein eine mit für auf den dem des im sich von zu als auch wird werden sind bei oder aus nach wie wenn kann einer durch noch nur über",
  French:
    "le la les et des est une dans pour que qui sur pas avec ce par au vous du sont plus cette ou aux il ne se mais comme nous être ont peut même sans leur",
  Spanish:
    "el los las y una que con para por del se es como su más pero sus no al si este también cuando puede entre sobre esta son está desde muy sin hay donde",
  Portuguese: "o os as um uma que não para com em por mais dos das ao se como mas foi ele seu sua ou quando muito também já pelo pela até isso são você está",
  Italian: "il gli che di una per non con sono della del dei le alla nel più anche come ma se questo questa dalla essere può nella delle si tutti così quando",
  Dutch: "de het een en van ik te dat die niet zijn op aan met voor als er maar om dan zou wordt worden bij nog naar ook uit kan deze door over je moet",
  Polish: "i w nie na się że z do jest to jak ale po przez dla od są tym tylko być może tego oraz które jego czy już także lub jeśli",
  Swedish: "och att det som en på är av för med till den inte har om ett var men från vi så kan när eller ska också finns detta alla där",
  Turkish: "ve bir bu için ile da de olarak daha çok gibi olan sonra kadar ne veya ancak değil her ama en ise tarafından göre şekilde",
  Indonesian: "yang dan di untuk dengan dari pada adalah ini itu dalam tidak akan atau juga oleh sebagai dapat ke karena ada bisa jika saat",
  Russian: "и в не на что с по как это для из но к от за все так его или быть если при может только мы они уже чтобы где есть",
  Ukrainian: "і в не на що з як це для та до у від за або його бути якщо при може тільки ми вони вже щоб де є ви",
} as const;

export type Script = "Latin" | "Cyrillic" | "Greek" | "Han" | "Kana" | "Hangul" | "Arabic" | "Hebrew" | "Devanagari" | "Thai" | "other";

const scriptForms: readonly (readonly [Script, RegExp])[] = [
  ["Latin", /\p{Script=Latin}/u],
  ["Han", /\p{Script=Han}/u],
  ["Cyrillic", /\p{Script=Cyrillic}/u],
  ["Kana", /[\p{Script=Hiragana}\p{Script=Katakana}]/u],
  ["Hangul", /\p{Script=Hangul}/u],
  ["Greek", /\p{Script=Greek}/u],
  ["Arabic", /\p{Script=Arabic}/u],
  ["Hebrew", /\p{Script=Hebrew}/u],
  ["Devanagari", /\p{Script=Devanagari}/u],
  ["Thai", /\p{Script=Thai}/u],
];

/** Scripts that are used by one widespread language: they decide by themselves. Han without Kana is Chinese. */
const languageOfScript: Partial<Record<Script, string>> = {
  Han: "Chinese",
  Hangul: "Korean",
  Greek: "Greek",
  Arabic: "Arabic",
  Hebrew: "Hebrew",
  Devanagari: "Hindi",
  Thai: "Thai",
};

const wordSets = Object.entries(smallWords).map(([language, words]) => [language, new Set(words.split(" "))] as const);

/** Whether some language uses this word so often that it says nothing about a text. In lower case. */
export function isSmallWord(word: string): boolean {
  return wordSets.some(([, words]) => words.has(word));
}

/** Share of each script among the letters, the largest first; empty where there are no letters. Shares add up to 1. */
export function scriptShares(text: string): Readonly<Partial<Record<Script, number>>> {
  const counts = new Map<Script, number>();
  let letters = 0;
  for (const [letter] of text.matchAll(/\p{L}/gu)) {
    letters++;
    const script = isAsciiLetter(letter) ? "Latin" : (scriptForms.find(([, form]) => form.test(letter))?.[0] ?? "other");
    counts.set(script, (counts.get(script) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort((a, b) => b[1] - a[1]).map(([script, count]) => [script, count / letters]));
}

const isAsciiLetter = (letter: string): boolean => letter < "{";

/** Below this share of small words a text is a list, a table or code rather than language. */
const smallWordShareMin = 0.06;
const wordsMin = 8;
const smallWordsMin = 3;
const kanaShareMin = 0.05;
/** A script's share above which it decides; code and names in Latin letters are found in documents of any language. */
const scriptShareMin = 0.3;

/** `undetermined` where the text is too short, or no language stands out. `words` in lower case. */
export function languageOf(words: readonly string[], scripts: Readonly<Partial<Record<Script, number>>>): string {
  if ((scripts.Kana ?? 0) >= kanaShareMin) return "Japanese";
  for (const script of Object.keys(languageOfScript) as Script[]) {
    if ((scripts[script] ?? 0) >= scriptShareMin) return languageOfScript[script] ?? "undetermined";
  }
  if (words.length < wordsMin) return "undetermined";
  let best = { language: "undetermined", hits: Math.max(smallWordsMin - 1, smallWordShareMin * words.length) };
  for (const [language, small] of wordSets) {
    const hits = words.reduce((sum, word) => sum + (small.has(word) ? 1 : 0), 0);
    if (hits > best.hits) best = { language, hits };
  }
  return best.language;
}
