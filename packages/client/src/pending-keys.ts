import { RetryError } from './errors.ts'
import type { FrozenRequest } from './frozen-request.ts'

/** Stores the keys of unfinished calls, as `localStorage` does; may be asynchronous. */
export interface PendingStorage {
  getItem(name: string): string | null | Promise<string | null>
  setItem(name: string, value: string): void | Promise<void>
  removeItem(name: string): void | Promise<void>
}

/**
 * Keeps the key of a call with an `operation` until the call has a final answer. Calls on one page
 * never get two keys for one request; two tabs at the same instant may. A storage that does not
 * give back what it was given fails the call (`storage-failed`) before anything is sent.
 */
export interface PendingOptions {
  readonly storage: PendingStorage
  /** The prefix of the entries' names. @default 'oncekey:' */
  readonly prefix?: string
  /**
   * The age at which an entry is discarded; from then on the same call gets a new key, and runs
   * again. It must be less than the time for which the server keeps keys. Routes that `hold` need
   * days. Milliseconds. @default 82_800_000, an hour below the usual day
   */
  readonly expiresAfterMs?: number
}

/** A key that outlives the page. */
export interface PendingKey {
  readonly key: string
  /** Whether the entry existed: an earlier call may have taken effect. */
  readonly resumed: boolean
  /** Deletes the entry. Never throws: the answer has arrived, and an entry that stays expires. */
  settle(): Promise<void>
}

/**
 * Finds or creates the key of an operation. The same operation with the same method, URL, content
 * type and body has the same key until that key is settled, on this page and, with a storage that
 * outlives the page, on the next.
 */
export type ClaimPendingKey = (
  operation: string,
  request: FrozenRequest,
  makeKey: () => string,
) => Promise<PendingKey>

/** Manages pending keys in a storage. */
export function pendingKeys(options: {
  readonly storage: PendingStorage
  readonly prefix: string
  readonly expiresAfterMs: number
  readonly now: () => number
}): ClaimPendingKey {
  const { storage, prefix, expiresAfterMs, now } = options
  const turns = new Map<string, Promise<unknown>>()

  return async (operation, request, makeKey) => {
    const name = `${prefix}${operation}:${await fingerprint(request)}`
    const { key, resumed } = await inTurn(name, () => findOrNote(name, makeKey))
    return { key, resumed, settle: () => inTurn(name, () => forget(name, key)) }
  }

  async function findOrNote(name: string, makeKey: () => string) {
    const found = await read(name)
    if (found !== undefined && isYoung(found)) return { key: found.key, resumed: true }
    const key = makeKey()
    try {
      // Stored before the first attempt, because a page that dies during it would not know its key.
      await storage.setItem(name, JSON.stringify({ key, since: now() }))
    } catch (error) {
      throw storageFailed(error)
    }
    // Reads the entry again. Otherwise a storage that loses or changes what it is given would be
    // noticed only when a request runs twice after a reload. The entry may also be another tab's;
    // its key is then shared.
    const kept = await read(name)
    if (kept?.key === key) return { key, resumed: false }
    if (kept !== undefined && isYoung(kept)) return { key: kept.key, resumed: true }
    throw storageFailed(new TypeError(NOT_KEPT))
  }

  async function read(name: string): Promise<Entry | undefined> {
    try {
      return entryOf(await storage.getItem(name))
    } catch (error) {
      throw storageFailed(error)
    }
  }

  function isYoung({ since }: Entry): boolean {
    return now() - since < expiresAfterMs
  }

  async function forget(name: string, key: string) {
    try {
      // A call that shared this key may have settled it, and the entry may belong to a newer call.
      if (entryOf(await storage.getItem(name))?.key === key) await storage.removeItem(name)
    } catch {}
  }

  /** Serialised per entry, because two concurrent calls would both find nothing. */
  async function inTurn<T>(name: string, task: () => Promise<T>): Promise<T> {
    const turn = (turns.get(name) ?? Promise.resolve()).then(task)
    const over = turn.then(
      () => {},
      () => {},
    )
    turns.set(name, over)
    try {
      return await turn
    } finally {
      if (turns.get(name) === over) turns.delete(name)
    }
  }
}

interface Entry {
  readonly key: string
  /** Milliseconds since 1970. */
  readonly since: number
}

/** The entry as it was stored, or as an object if the storage parses JSON itself. */
function entryOf(stored: unknown): Entry | undefined {
  try {
    const entry: unknown = typeof stored === 'string' ? JSON.parse(stored) : stored
    const { key, since } = (entry ?? {}) as Partial<Entry>
    return typeof key === 'string' && typeof since === 'number' ? { key, since } : undefined
  } catch {
    // An entry that is incomplete, or that something else stored under this name, counts as absent.
    return undefined
  }
}

const NOT_KEPT = 'getItem does not give back what setItem was given.'

function storageFailed(cause: unknown): RetryError {
  return new RetryError(
    'storage-failed',
    'The storage of pending keys failed, and without its key a reload could run the operation twice. Nothing was sent; leave `operation` out to send without.',
    { attempts: 0, key: undefined, cause },
  )
}

async function fingerprint({ method, url, headers, body }: FrozenRequest): Promise<string> {
  const head = JSON.stringify([method, url, headers.get('content-type')])
  const bytes = await new Blob([`${head.length}:${head}`, body ?? '']).arrayBuffer()
  const digest = await crypto.subtle.digest('SHA-256', bytes)
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
