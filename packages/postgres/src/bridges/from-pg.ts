import { OncekeyError } from '@oncekey/core'
import { within } from '../sql/deadline.ts'
import { isDriverTimeout } from '../sql/driver-timeout.ts'
import type { OutsideClient } from '../sql/pg/given-up-session.ts'
import type { PgClient, PgPool, PgPoolClient, PgResult } from '../sql/pg/pg-client.ts'
import { ignoreError, type PgSession, type PgSource, pgSessions } from '../sql/pg/pg-session.ts'
import { type PgWire, pgWire, sent } from '../sql/pg/pg-wire.ts'
import { isPreparedElsewhere, isSessionFit, isSetInSession } from '../sql/session-fitness.ts'
import type {
  BeginOptions,
  Isolation,
  QueryOptions,
  ReservedClient,
  SqlClient,
  SqlTransaction,
  Statement,
} from '../sql/sql-client.ts'
import { transactionHandle } from './transaction-handle.ts'

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
 * Connects by callback, so that the client has an 'error' listener as soon as it leaves the pool. A
 * promise resolves a tick later: a dying server can send its error right after the login, and an
 * 'error' event without a listener ends the process.
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

/** The port on anything that lends `pg` clients. */
export function fromPgSource<Client>(
  source: PgSource,
  options: { readonly prepare: boolean },
): SqlClient<Client> {
  const borrow = pgSessions(source)
  const wire = pgWire(options)

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
        const mayCancel = statement.cancellable === true
        const ask = (): Promise<PgResult> => {
          const work = wire.one(session.client, statement)
          return answered(session, work, {
            timeoutMs: until - performance.now(),
            mayCancel,
            signal,
          })
        }
        const { rows } = await ask().catch((error) => {
          if (!isPreparedElsewhere(error)) throw error
          wire.forgetPrepared(session.client)
          return ask()
        })
        session.release()
        return rows as Row[]
      } catch (error) {
        releaseOrDestroy(session, error)
        throw error
      }
    },

    async begin<Row>({ isolation, first, timeoutMs }: BeginOptions<Row>) {
      const until = performance.now() + timeoutMs
      const session = await borrow(timeoutMs)
      try {
        const ask = (): Promise<[PgResult, PgResult]> => {
          const work = wire.two(session.client, begin(isolation), first)
          return answered(session, work, { timeoutMs: until - performance.now(), mayCancel: true })
        }
        const [, { rows }] = await ask().catch(async (error) => {
          // Nothing has run yet, so that all can be sent again: see `isPreparedElsewhere`.
          if (!isPreparedElsewhere(error)) throw error
          wire.forgetPrepared(session.client)
          await within(UNDO_TIMEOUT_MS, wire.one(session.client, ROLLBACK), unanswered)
          return await ask()
        })
        return { rows: rows as Row[], transaction: pgTransaction<Client>(session, wire) }
      } catch (error) {
        if (isSetInSession(error)) session.destroy(asError(error))
        else await undo(session, error, { isOpen: true })
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
        // Never cancelled: the handler may have sent its own COMMIT, and `next` commits.
        const [, { rows }] = await answered(session, work, { timeoutMs, mayCancel: false })
        session.release()
        return rows as Row[]
      } catch (error) {
        releaseOrDestroy(session, error)
        throw error
      }
    },

    destroy(reason) {
      guard.revoke()
      session.destroy(reason)
    },
  }

  /**
   * Ends the transaction after queries that the handler did not await. A pipelining client keeps
   * their order; on others this waits for them.
   */
  function afterHandler<T>(end: () => Promise<T>): Promise<T> {
    const pending = client.pipeline === true ? undefined : guard.pendingQueries()
    const close = (): Promise<T> => {
      guard.closeStreams()
      return end()
    }
    return pending === undefined ? close() : pending.then(close)
  }

  async function rolledBack(): Promise<[unknown, { rows: unknown[] }]> {
    return [await wire.one(client, ROLLBACK), { rows: [] }]
  }
}

/** Waits for the reply to what was sent. If it does not arrive in time, the session is given up. */
async function answered<T>(
  session: PgSession,
  work: Promise<T>,
  options: {
    readonly timeoutMs: number
    /** Whether the statement may be cancelled, because nothing of it can be committing. */
    readonly mayCancel: boolean
    readonly signal?: AbortSignal | undefined
  },
): Promise<T> {
  let isPending = true
  const ended = (): void => {
    isPending = false
  }
  work.then(ended, ended)
  try {
    return await within(options.timeoutMs, work, unanswered, options.signal)
  } catch (error) {
    if (isPending) session.giveUp(asError(error), work, options)
    // The driver's own timeout: the driver gave up, but the server still works.
    else if (isDriverTimeout(error)) session.giveUp(asError(error), idle(session.client), options)
    throw error
  }
}

/** Resolves once the client has received all replies or is lost. */
function idle(client: PgClient): Promise<void> {
  return new Promise((resolve) => {
    if (client.connection?.stream?.destroyed === true) return resolve()
    client.once('drain', resolve)
    client.once('end', resolve)
  })
}

/** After an error outside a transaction: an ordinary one leaves the session usable. */
function releaseOrDestroy(session: PgSession, error: unknown): void {
  if (isSessionFit(error)) session.release()
  else session.destroy(asError(error))
}

/**
 * After an error inside a transaction. Right after BEGIN the transaction counts as open (`isOpen`)
 * whatever the client reports, because the server sends an error at once and the session's state
 * later.
 */
async function undo(
  session: PgSession,
  error: unknown,
  { isOpen = false }: { isOpen?: boolean } = {},
): Promise<void> {
  const rolledBack = error instanceof OncekeyError && error.code === 'transaction-aborted'
  // The handler changed the session's settings, so a claim on it is refused.
  const isFit = isSessionFit(error) || isSetInSession(error)
  if (!rolledBack && !isFit) return session.destroy(asError(error))
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
