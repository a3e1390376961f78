import { RetryError } from './errors.ts'
import type { FrozenRequest } from './frozen-request.ts'
import { entryOf, entryText, judgeEntry, type PendingEntry } from './pending-entry.ts'

/** Stores the keys of unfinished calls, as `localStorage` does; may be asynchronous. */
export interface PendingStorage {
  getItem(name: string): string | null | Promise<string | null>
  setItem(name: string, value: string): void | Promise<void>
  removeItem(name: string): void | Promise<void>
}

/**
 * Keeps the key of a call with an `operation` until the call has a final answer. Calls with one
 * `storage` never get two keys for one request; two tabs at the same instant may. A storage that
 * does not give back what it was given fails the call (`storage-failed`) before anything is sent.
 */
export interface PendingOptions {
  /** Give each `createFetch` of a process or page the same object. */
  readonly storage: PendingStorage
  /** The prefix of the entries' names. @default 'oncekey:' */
  readonly prefix?: string
  /**
   * The age at which a key is no longer sent. From then on the same call ends with `key-expired`,
   * until it says `forgetKey`; if the last attempt is as old, it does so for a minute. It must be
   * less than the time for which the server keeps keys. Routes that `hold` need days.
   * Milliseconds. @default 82_800_000, an hour below the usual day
   */
  readonly expiresAfterMs?: number
}

/** A key that outlives the page. */
export interface PendingKey {
  readonly key: string
  /** When the key is too old to be sent. Milliseconds since 1970. */
  readonly until: number
  /**
   * Deletes the entry if the answer is final. That may depend on whether another call has had the
   * key, before this one or since, whose outcome this answer does not tell. Never throws: the
   * answer has arrived, and an entry that stays expires.
   */
  settle(isFinal: (shared: boolean) => boolean): Promise<void>
}

/**
 * Finds or creates the key of an operation. The same operation with the same method, URL, content
 * type and body has the same key until that key is settled, on this page and, with a storage that
 * outlives the page, on the next. An entry that has the key `forgetKey` counts as absent.
 */
export type ClaimPendingKey = (
  operation: string,
  request: FrozenRequest,
  makeKey: () => string,
  forgetKey: string | undefined,
) => Promise<PendingKey>

/** Manages pending keys in a storage. */
export function pendingKeys(options: {
  readonly storage: PendingStorage
  readonly prefix: string
  readonly expiresAfterMs: number
  readonly now: () => number
}): ClaimPendingKey {
  const { storage, prefix, expiresAfterMs, now } = options
  const { inTurn, made } = sharedBy(storage)

  return async (operation, request, makeKey, forgetKey) => {
    const name = `${prefix}${operation}:${await fingerprint(request)}`
    const began = now()
    const find = () => findOrNote(name, makeKey, { forgetKey, began })
    const { key, since, isCounted } = await inTurn(name, find)
    return {
      key,
      until: since + expiresAfterMs,
      settle: (isFinal) =>
        inTurn(name, () =>
          changed(name, key, (entry) => {
            const others = entry.calls - (isCounted ? 1 : 0)
            if (isFinal(others > 0)) return undefined
            // All that had the key began here, so none but they can have had an effect.
            return made.has(key) && isFinal(false) ? { ...entry, calls: others } : entry
          }),
        ),
    }
  }

  async function findOrNote(
    name: string,
    makeKey: () => string,
    { forgetKey, began }: { readonly forgetKey: string | undefined; readonly began: number },
  ) {
    const found = await read(name)
    if (found !== undefined && found.key !== forgetKey && !isOver(found, began)) {
      return resume(name, found)
    }
    const key = makeKey()
    const at = now()
    try {
      // Stored before the first attempt, because a page that dies during it would not know its key.
      await storage.setItem(name, entryText({ key, since: at, last: at, calls: 1 }))
    } catch (error) {
      throw storageFailed(error)
    }
    // Reads the entry again. Otherwise a storage that loses or changes what it is given would be
    // noticed only when a request runs twice after a reload. The entry may also be another tab's;
    // its key is then shared.
    const kept = await read(name)
    if (kept?.key === key) {
      made.add(key)
      return { key, since: at, isCounted: true }
    }
    if (kept !== undefined && kept.key !== forgetKey) return resume(name, kept)
    throw storageFailed(new TypeError(NOT_KEPT))
  }

  /**
   * Whether the calls that had to be told have been told. The clock may have been ahead when one
   * was told, so the entry is looked at again.
   */
  function isOver(entry: PendingEntry, began: number): boolean {
    if (entry.told === undefined || began <= entry.told + TOLD_FOR_MS) return false
    return judgeEntry(entry, began, expiresAfterMs) === 'drop'
  }

  async function resume(name: string, { told, ...entry }: PendingEntry) {
    const { key, since } = entry
    const at = now()
    const judgement = judgeEntry(entry, at, expiresAfterMs)
    const isToldYet = told !== undefined && told <= at
    if (judgement === 'drop' && !isToldYet) {
      await changed(name, key, (kept) => ({ ...kept, told: at }))
    }
    if (judgement !== 'send') throw keyExpired(key)
    try {
      await storage.setItem(name, entryText({ ...entry, last: at, calls: entry.calls + 1 }))
      return { key, since, isCounted: true }
    } catch {
      // A storage that takes no more has the key all the same, which matters more than the rest.
      return { key, since, isCounted: false }
    }
  }

  async function read(name: string): Promise<PendingEntry | undefined> {
    try {
      return entryOf(await storage.getItem(name))
    } catch (error) {
      throw storageFailed(error)
    }
  }

  /** Changes the entry, or removes it if `change` returns nothing. */
  async function changed(
    name: string,
    key: string,
    change: (entry: PendingEntry) => PendingEntry | undefined,
  ) {
    try {
      const entry = entryOf(await storage.getItem(name))
      // A call that shared this key may have settled it, and the entry may belong to a newer call.
      if (entry?.key !== key) return
      const next = change(entry)
      if (next === undefined) {
        await storage.removeItem(name)
        made.delete(key)
      } else if (next !== entry) await storage.setItem(name, entryText(next))
    } catch {}
  }
}

type InTurn = <T>(name: string, task: () => Promise<T>) => Promise<T>

interface Shared {
  readonly inTurn: InTurn
  /** The keys that were made on this page and may still be in doubt. */
  readonly made: Set<string>
}

/** One for each storage, because several `createFetch` may have the same. */
const shared = new WeakMap<PendingStorage, Shared>()

function sharedBy(storage: PendingStorage): Shared {
  const known = shared.get(storage) ?? { inTurn: takeTurns(), made: new Set() }
  shared.set(storage, known)
  return known
}

/** Serialises tasks per entry, because two concurrent calls would both find nothing. */
function takeTurns(): InTurn {
  const lasts = new Map<string, Promise<void>>()
  return async (name, task) => {
    const turn = (lasts.get(name) ?? Promise.resolve()).then(task)
    const over = turn.then(
      () => {},
      () => {},
    )
    lasts.set(name, over)
    try {
      return await turn
    } finally {
      if (lasts.get(name) === over) lasts.delete(name)
    }
  }
}

/** How long calls end with `key-expired` once one did: a click is often a double click. */
const TOLD_FOR_MS = 60_000

const NOT_KEPT = 'getItem does not give back what setItem was given.'

function storageFailed(cause: unknown): RetryError {
  return new RetryError(
    'storage-failed',
    'The storage of pending keys failed, and without its key a reload could run the operation twice. Nothing was sent; leave `operation` out to send without.',
    { attempts: 0, key: undefined, cause },
  )
}

function keyExpired(key: string): RetryError {
  return new RetryError(
    'key-expired',
    'An earlier call of this operation may have taken effect, and its key is too old to be sent again (`pending.expiresAfterMs`). Nothing was sent. Find out what became of that call; to run the operation again, give the key of this error as `forgetKey`.',
    { attempts: 0, key, cause: undefined },
  )
}

async function fingerprint({ method, url, headers, body }: FrozenRequest): Promise<string> {
  const head = JSON.stringify([method, url, headers.get('content-type')])
  const bytes = await new Blob([`${head.length}:${head}`, body ?? '']).arrayBuffer()
  const digest = await crypto.subtle.digest('SHA-256', bytes)
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
