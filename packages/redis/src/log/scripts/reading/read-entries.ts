import { normalTypes, OncekeyError, splitTypes } from '@oncekey/core'
import {
  bytesIn,
  integerIn,
  listIn,
  type Script,
  script,
  textIn,
  wordIn,
} from '../../../client/script.ts'
import { inLife, lifeOf } from '../../keys/life.ts'
import { slotKeys } from '../../keys/slot-keys.ts'
import { cursorLua } from '../cursor.ts'

/**
 * Reads on in streams, and changes nothing. Entries of other types are skipped here, so that they
 * are not sent. An entry without a type goes to every consumer, because otherwise nobody would
 * report that it is broken.
 */
export const readEntriesScript: Script<ReadEntriesQuestion, SlotEntries[]> = script({
  name: 'read-entries',
  text: `${cursorLua}
-- For each slot:
-- KEYS[i]     its outbox
-- KEYS[i + 1] its consumers
-- ARGV[1]     how many entries at most, of all slots together
-- ARGV[2]     consumer
-- ARGV[3]     the types that are read, as one text: must equal what stands beside the cursors
-- ARGV[4]     the page ends with the entry that brings it to this many bytes; if negative, before
-- that entry, even if the page is empty then
-- ARGV[5]     number of types; '0': all types
-- ARGV[6]     number of prefixes of types
-- ARGV[7..]   the types, the prefixes, and then for each slot the id of the entry to read on from,
-- with the life of the server that gave it out
local left, bytes_left = tonumber(ARGV[1]), math.abs(ARGV[4])
local is_share = tonumber(ARGV[4]) < 0
local whole, beginnings = {}, {}
local at = 7 + ARGV[5] + ARGV[6]
local all = at == 7
for i = 7, at - 1 do
  if i < 7 + ARGV[5] then
    whole[ARGV[i]] = true
  else
    beginnings[#beginnings + 1] = ARGV[i]
  end
end

for i = 2, #KEYS, 2 do
  local cursor = cursor_of(KEYS[i], ARGV[2])
  if cursor and cursor.wanted and cursor.wanted ~= ARGV[3] then
    return 'changed'
  end
end

local function is_wanted(kind)
  if all or not kind or whole[kind] then
    return true
  end
  for _, beginning in ipairs(beginnings) do
    if string.sub(kind, 1, #beginning) == beginning then
      return true
    end
  end
  return false
end

local function type_of(fields)
  for i = 1, #fields, 2 do
    if fields[i] == 'type' then
      return fields[i + 1]
    end
  end
end

local function bytes_in(fields)
  local bytes = 0
  for i = 1, #fields do
    bytes = bytes + #fields[i]
  end
  return bytes
end

local pages = {}
for i = 1, #KEYS, 2 do
  local asked = ARGV[at + (i - 1) / 2]
  local position, life_then = string.match(asked, '^(.*)@(.*)$')
  if life_then ~= life() then
    return 'restored'
  end
  local entries, more = {}, 1
  -- Skipping costs time too, and the server is blocked meanwhile. So it reads a few at first,
  -- because the size of entries is only known once they are read.
  local count = is_share and 4 or 16
  while left > 0 and bytes_left > 0 and more == 1 do
    count = math.min(count, left)
    local found = redis.call('XRANGE', KEYS[i], '(' .. position, '+', 'COUNT', count)
    more = #found == count and 1 or 0
    local passed, bytes = 0, 0
    for _, entry in ipairs(found) do
      local wanted = is_wanted(not all and type_of(entry[2]))
      local size = bytes_in(entry[2])
      if bytes >= bytes_left or is_share and wanted and bytes + size > bytes_left then
        more, bytes = 1, bytes_left
        break
      end
      if wanted then
        entries[#entries + 1] = entry
      end
      bytes = bytes + size
      position = entry[1]
      passed = passed + 1
    end
    left = left - passed
    bytes_left = bytes_left - bytes
    -- As many more as fit in the rest, if they are like these.
    if #found > 0 then
      local each = math.max(1, bytes / #found)
      count = math.max(1, math.min(left, math.floor(bytes_left / each)))
    end
  end
  pages[#pages + 1] = {position, more, entries}
end
return pages
`,
  keys: ({ slots }) =>
    slots.flatMap(({ slot }) => {
      const { consumers, outbox } = slotKeys(slot)
      return [outbox, consumers]
    }),
  args: ({ consumer, limit, maxBytes, isShare, types, slots }) => [
    limit,
    consumer,
    JSON.stringify(normalTypes(types)),
    isShare ? -maxBytes : maxBytes,
    splitTypes(types)?.whole.length ?? 0,
    splitTypes(types)?.beginnings.length ?? 0,
    ...(splitTypes(types)?.whole ?? []),
    ...(splitTypes(types)?.beginnings ?? []),
    ...slots.map(({ position }) => position),
  ],
  reply(raw, { consumer, slots }) {
    if (!Array.isArray(raw)) {
      throw wordIn(raw, ['changed', 'restored']) === 'changed'
        ? subscriptionChanged(consumer)
        : restored()
    }
    return listIn(raw).map((page, at) => {
      const [position, more, entries] = listIn(page)
      const asked = slots[at]?.position as string
      return {
        slot: slots[at]?.slot as number,
        asked,
        position: inLife(textIn(position), lifeOf(asked)),
        more: integerIn(more) === 1,
        entries: listIn(entries).map((entry) => {
          const [id, fields] = listIn(entry)
          return { id: textIn(id), fields: listIn(fields).map(bytesIn) }
        }),
      }
    })
  },
})

function subscriptionChanged(consumer: string): OncekeyError {
  return new OncekeyError(
    'subscription-changed',
    `The releases of consumer "${consumer}" now take other types than this reader asks for.`,
  )
}

function restored(): OncekeyError {
  return new OncekeyError(
    'log-restored',
    'Redis failed over or was restarted since this reader took its slots, or its slots moved to another ' +
      'node: the reader drops what it remembered and continues from what is on record.',
  )
}

export interface ReadEntriesQuestion {
  readonly consumer: string
  readonly slots: readonly { readonly slot: number; readonly position: string }[]
  readonly types: readonly string[] | null
  readonly limit: number
  readonly maxBytes: number
  /** Whether other slots share the page: then an entry larger than `maxBytes` is left out. */
  readonly isShare: boolean
}

export interface SlotEntries {
  readonly slot: number
  readonly asked: string
  /** The position to read on from. */
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
