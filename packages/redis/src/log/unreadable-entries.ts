import type { FiledEvent } from './scripts/reading/advance.ts'
import type { LoggedEntry } from './state/logged-entry.ts'

/**
 * Entries that were read and are not events. Reading writes nothing, so they are kept in memory
 * until the cursor passes them, and are filed by the script that moves the cursor. If another relay
 * gets the slot, it reads them again.
 */
export interface UnreadableEntries {
  add(consumer: string, slot: number, entry: Unreadable): void
  /** The entries that a cursor at `position` has passed. */
  upTo(consumer: string, slot: number, position: string): readonly FiledEvent[]
  /** Forgets entries up to `position`, because they are on file. */
  passed(consumer: string, slot: number, position: string): void
  /** Forgets all entries of the slot, because another relay holds it or it is read anew. */
  forget(consumer: string, slot: number): void
}

type Unreadable = LoggedEntry & { readonly kind: 'unreadable' }

export function unreadableEntries(): UnreadableEntries {
  const bySlot = new Map<string, Map<string, Unreadable>>()
  const nameOf = (consumer: string, slot: number): string => `${slot} ${consumer}`
  const entriesUpTo = (name: string, position: string): Unreadable[] =>
    [...(bySlot.get(name)?.values() ?? [])].filter((entry) => !isLater(entry.position, position))

  return {
    add(consumer, slot, entry) {
      const name = nameOf(consumer, slot)
      const entries = bySlot.get(name) ?? new Map<string, Unreadable>()
      bySlot.set(name, entries.set(entry.position, entry))
    },

    upTo: (consumer, slot, position) =>
      entriesUpTo(nameOf(consumer, slot), position).map(({ filed }) => filed),

    passed(consumer, slot, position) {
      const name = nameOf(consumer, slot)
      const entries = bySlot.get(name)
      for (const entry of entriesUpTo(name, position)) entries?.delete(entry.position)
      if (entries?.size === 0) bySlot.delete(name)
    },

    forget(consumer, slot) {
      bySlot.delete(nameOf(consumer, slot))
    },
  }
}

/** Compares two ids of entries. */
function isLater(one: string, other: string): boolean {
  const [oneMs = 0, oneNumber = 0] = one.split('-').map(BigInt)
  const [otherMs = 0, otherNumber = 0] = other.split('-').map(BigInt)
  return oneMs === otherMs ? oneNumber > otherNumber : oneMs > otherMs
}
