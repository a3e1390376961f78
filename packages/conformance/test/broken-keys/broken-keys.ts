import type { StoreFixture } from '@oncekey/conformance'
import {
  type Keys,
  type MemoryStore,
  type MemoryTransaction,
  memoryStore,
  type Operations,
} from '@oncekey/core'

/** A store whose operator side has one fault, and the behaviours that must detect it. */
export interface BrokenKeys {
  readonly fault: string
  readonly breaks: (right: Sides, store: MemoryStore) => Partial<Sides & Pick<MemoryStore, 'begin'>>
  /** Titles as `group: behaviour`; others may detect it, too. */
  readonly caughtBy: readonly string[]
}

interface Sides {
  readonly keys: Keys
  readonly operations: Operations
}

/** The memory store in lease mode with one fault in its operator side. */
export function brokenFixture({ breaks }: BrokenKeys): StoreFixture<MemoryTransaction> {
  let now = Date.now()
  const store = memoryStore({ mode: 'lease', now: () => now })
  const { keys, operations } = store
  const advance = (ms: number): void => {
    now += ms
  }
  return {
    store: { ...store, keys, operations, ...breaks({ keys, operations }, store) },
    advance,
    write: (transaction, id) => transaction.set(id, true),
    written: (id, within) => (within ? within.get(id) === true : store.data.has(id)),
    events: () => store.events,
    expireResults: () => advance(24 * 60 * 60 * 1000),
  }
}

/** The memory store with some methods replaced. */
const withKeys =
  (change: (right: Keys, store: MemoryStore) => Partial<Keys>): BrokenKeys['breaks'] =>
  ({ keys }, store) => ({ keys: { ...keys, ...change(keys, store) } })

export const brokenKeys: readonly BrokenKeys[] = [
  {
    // Written for a contract in which both are optional.
    fault: 'has neither keys nor a trail',
    breaks: () => ({ keys: undefined as never, operations: undefined as never }),
    caughtBy: [
      'looking at keys: a key that was never claimed is unknown',
      'acts on keys: forget lets the next request with a finished key run again',
      'acts on keys: each act that is done is recorded: who, what, on which key, why',
    ],
  },
  {
    fault: 'shows the fingerprint of the latest claim, and stores that of the first',
    breaks({ keys }, store) {
      let latest: string | undefined
      return {
        begin(claim) {
          latest = claim.fingerprints[0]
          return store.begin(claim)
        },
        keys: {
          ...keys,
          async get(name, options) {
            const found = await keys.get(name, options)
            return found?.state === 'running' ? { ...found, fingerprint: latest ?? '' } : found
          },
        },
      }
    },
    caughtBy: [
      'looking at keys: an attempt that took a key over is shown with the fingerprint of its record to be',
    ],
  },
  {
    fault: 'says that an act is done and does nothing',
    breaks: withKeys(() => ({
      release: async () => 'done',
      answer: async () => 'done',
      forget: async () => 'done',
    })),
    caughtBy: [
      'acts on keys: release frees an unknown key: the next request runs as the first attempt',
      'acts on keys: release frees it for another request, too',
      'acts on keys: after release the attempt that comes back late stores nothing',
      'acts on keys: answer finishes an unknown key: the next request gets that response, byte for byte',
      'acts on keys: after answer the attempt that comes back late changes nothing',
      'acts on keys: forget lets the next request with a finished key run again',
      'acts on keys: forget changes nothing if another request is on record',
      'acts on keys: nothing happens to a running key, whatever the act: it answers `running`',
      'acts on keys: nothing happens to a key of which nothing is known, whatever the act: it answers `absent`',
      'acts on keys: release and answer leave a finished key as it is',
      'acts on keys: forget leaves an unknown key as it is',
      'acts on keys: of many acts on one unknown key one is done and recorded',
      'acts on keys: of an act and a claim that retakes one wins',
      'acts on keys: an act without an actor or a note is refused, and nothing happens',
    ],
  },
  {
    fault: 'answers with what can be sent, whatever it is given',
    breaks: withKeys((right) => ({
      answer: (name, { body }, act) =>
        right.answer(name, { status: 200, headers: [], body, seal: null }, act),
    })),
    caughtBy: ['acts on keys: answer refuses what could not be sent, and nothing happens'],
  },
  {
    // A completion is sent again because its reply was lost, and is taken for one that was lost.
    fault: 'forgets with a key also who had completed it',
    breaks: ({ keys }, store) => {
      const forgotten = new Set<string>()
      return {
        keys: {
          ...keys,
          async forget(name, act) {
            const result = await keys.forget(name, act)
            if (result === 'done') forgotten.add(name.key)
            return result
          },
        },
        async begin(claim) {
          const decision = await store.begin(claim)
          if (decision.kind !== 'run') return decision
          const { attempt } = decision
          const complete: typeof attempt.complete = async (completion) => {
            if (!forgotten.has(claim.key)) return attempt.complete(completion)
            const restored = await store.begin({ ...claim, token: `${claim.token} restored` })
            return restored.kind === 'run' ? restored.attempt.complete(completion) : 'superseded'
          }
          return { kind: 'run', attempt: { ...attempt, complete } }
        },
      }
    },
    caughtBy: ['acts on keys: after forget the attempt that had completed stores nothing more'],
  },
  {
    // The caller writes the audit entry after the act.
    fault: 'keeps no trail',
    breaks: () => ({ operations: { list: async () => ({ items: [], next: undefined }) } }),
    caughtBy: [
      'acts on keys: each act that is done is recorded: who, what, on which key, why',
      'acts on keys: the newest act comes first, page by page, each once',
    ],
  },
  {
    fault: 'lists the oldest act first',
    breaks: ({ operations }) => ({
      operations: {
        async list(filter, page) {
          const { items, next } = await operations.list(filter, page)
          return { items: items.toReversed(), next }
        },
      },
    }),
    caughtBy: ['acts on keys: the newest act comes first, page by page, each once'],
  },
  {
    fault: 'claims a key to look at it',
    breaks: withKeys((right, store) => ({
      async get(key, options) {
        const decision = await store.begin({
          ...key,
          fingerprints: ['look'],
          token: 'look',
          leaseMs: 1000,
          waitMs: 0,
          whenUnknown: 'hold',
          signal: new AbortController().signal,
        })
        await Promise.resolve()
        const found = await right.get(key, options)
        if (decision.kind === 'run') await decision.attempt.release()
        return found
      },
    })),
    caughtBy: [
      'looking at keys: a key that was never claimed is unknown',
      'looking at keys: looking at a free key does not claim it',
    ],
  },
  {
    fault: 'knows a key only while it is running',
    breaks: withKeys((right) => ({
      async get(key, options) {
        const found = await right.get(key, options)
        return found?.state === 'running' ? found : undefined
      },
    })),
    caughtBy: [
      'looking at keys: a finished key shows its request, its response, and its body on request',
      'looking at keys: a response that is gone is shown as gone',
      'looking at keys: in lease mode the attempt is shown: its number, its claim, its lease',
    ],
  },
  {
    fault: 'takes a running key for one whose outcome is unknown',
    breaks: withKeys((right) => ({
      async get(key, options) {
        const found = await right.get(key, options)
        return found?.state === 'running' ? { ...found, state: 'unknown' } : found
      },
    })),
    caughtBy: [
      'looking at keys: a key whose attempt runs is `running`, and looking at it changes nothing',
    ],
  },
  {
    fault: 'pages by time alone, and lists nothing of a state or a prefix',
    breaks: withKeys((right) => ({
      list: ({ namespace, scope }, page) =>
        right.list(
          { ...(namespace !== undefined && { namespace }), ...(scope !== undefined && { scope }) },
          page,
        ),
    })),
    caughtBy: [
      'looking at keys: the keys of a scope are listed in the order of their bytes, page by page, each once',
      'looking at keys: a list by state contains every key in that state',
      'looking at keys: a filter that would read everything, and a page without bounds, are refused',
    ],
  },
  {
    fault: 'lists the newest key under way first',
    breaks: withKeys((right) => ({
      async list(filter, page) {
        const { items, next } = await right.list(filter, page)
        return { items: items.toReversed(), next }
      },
    })),
    caughtBy: [
      'looking at keys: without a scope the longest waiting come first, then the last finished',
    ],
  },
  {
    fault: 'has no list of its keys, and shows an empty one',
    breaks: withKeys(() => ({ lists: false, list: async () => ({ items: [], next: undefined }) })),
    caughtBy: [
      'looking at keys: a store that has no list of its keys says so, and finds each by its name',
    ],
  },
]
