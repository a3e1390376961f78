import { OncekeyError } from '@oncekey/core'
import { within } from './deadline.ts'
import { ignoreError, type PgSession, type PgSource, pgSessions } from './pg-session.ts'
import { oneMessage, type PgWire, preparedByName, sent } from './pg-wire.ts'
import type { OutsideClient } from './sql/given-up-session.ts'
import { isSessionFit } from './sql/session-fitness.ts'
import type {
  BeginOptions,
  Isolation,
  QueryOptions,
  ReservedClient,
  SqlClient,
  SqlTransaction,
  Statement,
} from './sql-client.ts'
import { transactionHandle } from './transaction-handle.ts'

/**
 * A `Pool` of `pg`, down to what is used of it. Both forms of `connect` are here so that TypeScript
 * finds the pool's own client type among its overloads.
 */
export interface PgPool<Client = unknown> {
  connect(): Promise<Client>
  connect(
    callback: (
      error: Error | undefined,
      client: Client | undefined,
      done: (release?: unknown) => void,
    ) => void,
  ): void
  readonly options: { readonly max?: number | undefined }
  readonly totalCount: number
  /** The class of its clients. */
  readonly Client?: unknown
}

/** A client of `pg`, down to what is used of it. */
export interface PgClient {
  query(config: PgQuery): Promise<PgResult>
  query(config: PgQuery, callback: (error: Error | null, result: PgResult) => void): void
  on(event: 'error', listener: (error: Error) => void): unknown
  removeListener(event: 'error', listener: (error: Error) => void): unknown
  /** Whether it sends a query without waiting for the answer to the one before. */
  readonly pipeline?: boolean
  /** `I` outside a transaction. */
  getTransactionStatus?(): string | null
  readonly connection?: { readonly stream?: { destroy(): unknown } }
  readonly host?: string
  readonly port?: number
  readonly processID?: number | null
  readonly secretKey?: unknown
}

/** A client that a `pg` pool handed out. */
interface PgPoolClient extends PgClient {
  release(error?: Error | boolean): void
}

export interface PgQuery {
  readonly text: string
  readonly name?: string
  readonly values?: unknown[]
  readonly types?: { getTypeParser(): (value: unknown) => string }
}

export interface PgResult {
  readonly command: string
  readonly rows: unknown[]
}

/** The port on a `pg` pool. */
export function fromPg<Client>(
  pool: PgPool<Client>,
  options: { readonly prepare: boolean },
): SqlClient<Client> {
  const lender = pool as PgPool<PgPoolClient>
  const poolSize = pool.options.max ?? 10
  return fromPgSource<Client>(
    {
      poolSize,
      isFull: () => pool.totalCount >= poolSize,
      connect: () => listenedTo(lender),
      release(client, reason) {
        ;(client as PgPoolClient).release(reason)
        client.removeListener('error', ignoreError)
      },
      ...(typeof pool.Client === 'function' && { connectOutside: () => outside(pool) }),
    },
    options,
  )
}

/**
 * A client that somebody listens to from the instant it leaves the pool. A promise would be an instant
 * late: a server that dies says so in the bytes behind those that end the login, and an 'error' event
 * that nobody listens for ends the process.
 */
function listenedTo(pool: PgPool<PgPoolClient>): Promise<PgPoolClient> {
  return new Promise((resolve, reject) => {
    pool.connect((error, client) => {
      if (client === undefined) return reject(error)
      client.on('error', ignoreError)
      resolve(client)
    })
  })
}

async function outside(pool: PgPool<unknown>): Promise<OutsideClient> {
  const Client = pool.Client as new (
    options: unknown,
  ) => OutsideClient & { connect(): Promise<unknown>; on(event: 'error', ignore: () => void): void }
  const client = new Client(pool.options)
  client.on('error', ignoreError)
  await client.connect()
  return client
}

/** The port on anything that lends clients of `pg`. */
export function fromPgSource<Client>(
  source: PgSource,
  options: { readonly prepare: boolean },
): SqlClient<Client> {
  const borrow = pgSessions(source)
  const wire = options.prepare ? preparedByName() : oneMessage()

  return {
    concurrency: 'many',
    poolSize: source.poolSize,

    async query<Row>(statement: Statement<Row>, { timeoutMs, signal }: QueryOptions) {
      const until = performance.now() + timeoutMs
      const session = await borrow(timeoutMs)
      try {
        if (signal?.aborted) {
          session.release()
          throw signal.reason
        }
        const work = wire.one(session.client, statement)
        const timeoutMs = until - performance.now()
        const mayCancel = statement.cancellable === true
        const { rows } = await answered(session, work, { timeoutMs, mayCancel, signal })
        session.release()
        return rows as Row[]
      } catch (error) {
        settle(session, error)
        throw error
      }
    },

    async begin<Row>({ isolation, first, timeoutMs }: BeginOptions<Row>) {
      const until = performance.now() + timeoutMs
      const session = await borrow(timeoutMs)
      try {
        const work = wire.two(session.client, begin(isolation), first)
        const timeoutMs = until - performance.now()
        const [, { rows }] = await answered(session, work, { timeoutMs, mayCancel: true })
        return { rows: rows as Row[], transaction: pgTransaction<Client>(session, wire) }
      } catch (error) {
        await undo(session, error, { isOpen: true })
        throw error
      }
    },

    async reserve({ timeoutMs }) {
      return reserved(await borrow(timeoutMs), wire)
    },
  }
}

function reserved(session: PgSession, wire: PgWire): ReservedClient {
  let isOver = false
  return {
    async query<Row>(statement: Statement<Row>, { timeoutMs }: { timeoutMs: number }) {
      try {
        const work = wire.one(session.client, statement)
        const mayCancel = statement.cancellable === true
        return (await answered(session, work, { timeoutMs, mayCancel })).rows as Row[]
      } catch (error) {
        if (!isOver && !isSessionFit(error)) {
          isOver = true
          session.destroy(asError(error))
        }
        throw error
      }
    },
    release() {
      if (!isOver) session.release()
      isOver = true
    },
  }
}

function pgTransaction<Client>(session: PgSession, wire: PgWire): SqlTransaction<Client> {
  const { client } = session
  const guard = transactionHandle(client, { statements: { query: textOf }, refused: REFUSED })

  return {
    handle: guard.handle as Client,
    mayHaveEnded: guard.mayHaveEnded,
    revoke: guard.revoke,

    async query<Row>(statement: Statement<Row>) {
      const { rows } = await wire.one(client, statement)
      return rows as Row[]
    },

    async commit<Row>(last: Statement<Row>, { timeoutMs }: { timeoutMs: number }) {
      guard.revoke()
      try {
        const work = afterHandler(() => wire.two(client, last, COMMIT))
        const [{ rows }, { command }] = await answered(session, work, {
          timeoutMs,
          mayCancel: false,
        })
        if (command !== 'COMMIT') throw notCommitted()
        session.release()
        return rows as Row[]
      } catch (error) {
        await undo(session, error)
        throw error
      }
    },

    async rollback<Row>({ timeoutMs, next }: { timeoutMs: number; next?: Statement<Row> }) {
      guard.revoke()
      try {
        const work = afterHandler(() =>
          next === undefined ? rolledBack() : wire.two(client, ROLLBACK, next),
        )
        // The handler may have sent a COMMIT of its own, and `next` is one.
        const [, { rows }] = await answered(session, work, { timeoutMs, mayCancel: false })
        session.release()
        return rows as Row[]
      } catch (error) {
        settle(session, error)
        throw error
      }
    },

    destroy(reason) {
      guard.revoke()
      session.destroy(reason)
    },
  }

  /** A query that the handler did not wait for is still its own; without pipelining, one at a time. */
  function afterHandler<T>(end: () => Promise<T>): Promise<T> {
    const settled = client.pipeline === true ? undefined : guard.settled()
    return settled === undefined ? end() : settled.then(end)
  }

  async function rolledBack(): Promise<[unknown, { rows: unknown[] }]> {
    return [await wire.one(client, ROLLBACK), { rows: [] }]
  }
}

/** The answer to what was sent, or a session that is given up. */
async function answered<T>(
  session: PgSession,
  work: Promise<T>,
  options: {
    readonly timeoutMs: number
    /** Whether the server may be told to stop: nothing of it can be on its way to being committed. */
    readonly mayCancel: boolean
    readonly signal?: AbortSignal | undefined
  },
): Promise<T> {
  let isPending = true
  const settled = (): void => {
    isPending = false
  }
  work.then(settled, settled)
  try {
    return await within(options.timeoutMs, work, unanswered, options.signal)
  } catch (error) {
    if (isPending) session.giveUp(asError(error), work, options)
    throw error
  }
}

/** After an error outside of a transaction: ordinary ones leave a connection as good as new. */
function settle(session: PgSession, error: unknown): void {
  if (isSessionFit(error)) session.release()
  else session.destroy(asError(error))
}

/**
 * After an error inside of one. Behind BEGIN it `isOpen` whatever the client says: the server sends an
 * error at once, and only later what state it left the session in.
 */
async function undo(
  session: PgSession,
  error: unknown,
  { isOpen = false }: { isOpen?: boolean } = {},
): Promise<void> {
  const rolledBack = error instanceof OncekeyError && error.code === 'transaction-aborted'
  if (!rolledBack && !isSessionFit(error)) return session.destroy(asError(error))
  try {
    if (isOpen || session.client.getTransactionStatus?.() !== 'I') {
      await within(UNDO_TIMEOUT_MS, sent(session.client, { text: 'ROLLBACK' }), unanswered)
    }
    session.release()
  } catch (lost) {
    session.destroy(asError(lost))
  }
}

function begin(isolation: Isolation): Statement {
  const text = `BEGIN ISOLATION LEVEL ${isolation.toUpperCase()}`
  return { name: 'begin', text, values: [] }
}

function textOf(argument: unknown): string | undefined {
  if (typeof argument === 'string') return argument
  return (argument as { text?: string } | undefined)?.text
}

function unanswered(): OncekeyError {
  return new OncekeyError('store-unavailable', 'The PostgreSQL server did not answer in time.')
}

function notCommitted(): OncekeyError {
  return new OncekeyError(
    'transaction-aborted',
    'COMMIT was answered by a rollback: a statement of the transaction had failed before.',
  )
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}

const COMMIT: Statement = { name: 'commit', text: 'COMMIT', values: [] }
const ROLLBACK: Statement = { name: 'rollback', text: 'ROLLBACK', values: [] }
const REFUSED = ['release', 'end', 'connect']
const UNDO_TIMEOUT_MS = 1_000
