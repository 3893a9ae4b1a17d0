/** Exact AMQP topic matching inside Redis: `*` is one word, `#` zero or more, anywhere. Bounded by pattern words × topic words. */
export const matching = `
local function wordsOf(text)
  local words = {}
  for word in string.gmatch(text, '[^.]+') do words[#words + 1] = word end
  return words
end

-- One row of dynamic programming: row[i] says that the first i topic words match the pattern words so far.
local function matches(pattern, topicText, topic)
  if pattern == '#' or pattern == topicText then return true end
  if not string.find(pattern, '[*#]') then return false end
  local row = { [0] = true }
  for word in string.gmatch(pattern, '[^.]+') do
    if word == '#' then
      for i = 1, #topic do row[i] = row[i] or row[i - 1] end
    else
      for i = #topic, 1, -1 do row[i] = row[i - 1] and (word == '*' or word == topic[i]) end
      row[0] = false
    end
  end
  return row[#topic]
end
`;
