-- Adds the token `ended` to `past`: the last tokens of attempts of this key that are over although
-- they left no mark. They were taken over, ended by an operator, or told that they lost the key.
past = (past or '\n') .. ended .. '\n'
if #past > 2000 then
  past = string.sub(past, (string.find(past, '\n', -2000, true)))
end
