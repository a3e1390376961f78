import { AsyncLocalStorage } from 'node:async_hooks'
import type { PgClient, PgPool } from '../../sql/pg/pg-client.ts'

/** A client that is lent to a library for one transaction. */
export interface LentClient {
  /** The library has been told that its transaction has begun, so its statements are sent. */
  begun(): void
  /**
   * The transaction is over. Calls `end`, after which the library may send its own COMMIT or
   * ROLLBACK, once no query is under way: pg-promise throws in the reply to one that it has ended.
   */
  over(end: () => void): void
  /** Whether the library took the client. */
  isTaken(): boolean
}

/**
 * For a library that opens a transaction on a client of its pool: calls `open`, which makes it do
 * so, and gives it the guarded client instead. BEGIN has been sent already, and the library never
 * ends the transaction, so its own statements for both are answered here.
 */
export function lendTo<T>(
  pool: PgPool<PgClient>,
  handle: PgClient,
  open: (client: LentClient) => T,
): T {
  const query = handle.query as (...args: unknown[]) => unknown
  let stage: 'due' | 'taken' | 'open' | 'over' = 'due'
  let underWay = 0
  let whenIdle: (() => void) | undefined
  const answered = (): void => {
    underWay -= 1
    if (underWay === 0) whenIdle?.()
  }
  const sent = (args: unknown[]): unknown => {
    const callback = args.at(-1)
    if (typeof callback !== 'function') {
      const result = query(...args)
      if (result instanceof Promise) {
        underWay += 1
        result.then(answered, answered)
      }
      return result
    }
    underWay += 1
    return query(...args.slice(0, -1), (...reply: unknown[]) => {
      try {
        callback(...reply)
      } finally {
        answered()
      }
    })
  }
  const client = {
    query(...args: unknown[]): unknown {
      const isEnd = stage === 'over' && ENDS.test(textOf(args[0]))
      if (stage !== 'taken' && !isEnd) return sent(args)
      const callback = args.at(-1)
      if (typeof callback !== 'function') return Promise.resolve(NOTHING)
      return process.nextTick(callback as () => void, null, NOTHING)
    },
    on() {},
    removeListener() {},
    release() {},
    end() {},
  }
  const take = (): object | undefined => {
    if (stage !== 'due') return undefined
    stage = 'taken'
    return client
  }
  lendThrough(pool)
  return loans.run({ pool, take }, () =>
    open({
      begun() {
        stage = 'open'
      },
      over(end) {
        stage = 'over'
        whenIdle = end
        if (underWay === 0) end()
      },
      isTaken: () => stage === 'taken',
    }),
  )
}

interface Loan {
  readonly pool: object
  take(): object | undefined
}

const loans = new AsyncLocalStorage<Loan>()
const lenders = new WeakSet<object>()

/** Where a loan is due, `connect` of the pool returns it; all others get the pool's clients. */
function lendThrough(pool: PgPool<PgClient>): void {
  if (lenders.has(pool)) return
  lenders.add(pool)
  const connect = pool.connect as (...args: unknown[]) => unknown
  Object.assign(pool, {
    connect(...args: unknown[]): unknown {
      const loan = loans.getStore()
      const client = loan?.pool === pool ? loan.take() : undefined
      if (client === undefined) return connect.apply(pool, args)
      const [callback] = args
      if (typeof callback !== 'function') return Promise.resolve(client)
      return process.nextTick(callback as () => void, undefined, client, () => {})
    },
  })
}

function textOf(query: unknown): string {
  return typeof query === 'string' ? query : String(Object(query).text)
}

const ENDS = /^(?:commit|rollback)$/i
const NOTHING = { command: '', rows: [], fields: [], rowCount: 0 }
