import { slotKeys } from '../../log/slot-keys.ts'
import { bytesIn, integerIn, listIn, type Script, script, textIn } from '../script.ts'

/**
 * Reads on in streams, changing nothing. Entries of other types are passed here, so that they do not
 * travel; one without a type is given to everybody, because nobody else would say that it is broken.
 */
export const readEntriesScript: Script<ReadEntriesQuestion, SlotEntries[]> = script({
  name: 'read-entries',
  text: `
-- KEYS[i]  the outbox of each slot
-- ARGV[1]  at most so many entries, of all slots together
-- ARGV[2]  number of types; '0': all types
-- ARGV[3..] the types, and then for each slot the id of the entry to read on from
local left, wanted = tonumber(ARGV[1]), nil
local at = 3 + ARGV[2]
for i = 3, at - 1 do
  wanted = wanted or {}
  wanted[ARGV[i]] = true
end

local function type_of(fields)
  for i = 1, #fields, 2 do
    if fields[i] == 'type' then
      return fields[i + 1]
    end
  end
end

local pages = {}
for i = 1, #KEYS do
  local position, entries, more = ARGV[at + i - 1], {}, 1
  -- What is passed here costs time too, and the server has nothing else to give meanwhile.
  if left > 0 then
    local found = redis.call('XRANGE', KEYS[i], '(' .. position, '+', 'COUNT', left)
    more = #found == left and 1 or 0
    for _, entry in ipairs(found) do
      local kind = wanted and type_of(entry[2])
      if not kind or wanted[kind] then
        entries[#entries + 1] = entry
      end
      position = entry[1]
    end
    left = left - #found
  end
  pages[i] = {position, more, entries}
end
return pages
`,
  keys: ({ slots }) => slots.map(({ slot }) => slotKeys(slot).outbox),
  args: ({ limit, types, slots }) => [
    limit,
    types?.length ?? 0,
    ...(types ?? []),
    ...slots.map(({ position }) => position),
  ],
  reply: (raw, { slots }) =>
    listIn(raw).map((page, at) => {
      const [position, more, entries] = listIn(page)
      return {
        slot: slots[at]?.slot as number,
        asked: slots[at]?.position as string,
        position: textIn(position),
        more: integerIn(more) === 1,
        entries: listIn(entries).map((entry) => {
          const [id, fields] = listIn(entry)
          return { id: textIn(id), fields: listIn(fields).map(bytesIn) }
        }),
      }
    }),
})

export interface ReadEntriesQuestion {
  readonly slots: readonly { readonly slot: number; readonly position: string }[]
  readonly types: readonly string[] | null
  readonly limit: number
}

export interface SlotEntries {
  readonly slot: number
  readonly asked: string
  /** Where to read on. */
  readonly position: string
  readonly more: boolean
  readonly entries: readonly Entry[]
}

/** An entry of a stream. */
export interface Entry {
  readonly id: string
  /** Names and values in turn. */
  readonly fields: readonly Buffer[]
}
