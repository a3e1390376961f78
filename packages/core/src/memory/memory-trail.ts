import type { Operation, Operations } from '../acts/operations.ts'
import { checkPageLimit } from '../contracts/keys.ts'

/** The audit trail of a memory store and its log: at least the last 100,000 acts. */
export interface MemoryTrail {
  readonly operations: Operations
  /**
   * Adds an entry. If an act calls it without an `await` in between, the act and its entry are one
   * step.
   */
  add(entry: MemoryEntry): void
}

/** An entry as an act gives it; without an actor it names this process. */
export interface MemoryEntry extends Omit<Operation, 'id' | 'at' | 'actor' | 'note'> {
  readonly atMs: number
  readonly actor: string | null
  readonly note: string | null
}

export function memoryTrail(): MemoryTrail {
  const trail: Operation[] = []
  let ids = 0

  return {
    add({ atMs, actor, note, act, target, detail }) {
      ids += 1
      trail.push({
        id: String(ids),
        at: new Date(atMs),
        actor: actor ?? 'this process',
        act,
        target,
        note: note ?? '',
        detail,
      })
      if (trail.length >= 2 * ENTRIES_KEPT) trail.splice(0, ENTRIES_KEPT)
    },

    operations: {
      async list({ actor, act, target, since, until }, { limit, after }) {
        checkPageLimit('operations.list', limit)
        const before = after === undefined ? Number.POSITIVE_INFINITY : Number(after)
        const meant = trail.filter(
          (entry) =>
            Number(entry.id) < before &&
            (actor === undefined || entry.actor === actor) &&
            (act === undefined || entry.act === act) &&
            (target === undefined || entry.target === target) &&
            (since === undefined || entry.at >= since) &&
            (until === undefined || entry.at <= until),
        )
        const items = meant.reverse().slice(0, limit)
        return { items, next: meant.length > limit ? items.at(-1)?.id : undefined }
      },
    },
  }
}

const ENTRIES_KEPT = 100_000
