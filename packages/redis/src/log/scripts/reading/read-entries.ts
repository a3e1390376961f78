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
import { readEntriesLua } from './lua.ts'

/**
 * Reads the next entries of streams, and changes nothing. Entries of other types are skipped here,
 * so that they are not sent to the relay. An entry without a type goes to every consumer, because
 * otherwise nobody would report that it is broken.
 */
export const readEntriesScript: Script<ReadEntriesQuestion, SlotEntries[]> = script({
  name: 'read-entries',
  text: readEntriesLua,
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
  /** Whether other slots share the page. If so, an entry larger than `maxBytes` is left out. */
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
  /** The names and values of its fields, alternating. */
  readonly fields: readonly Buffer[]
}
