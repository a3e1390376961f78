import { within } from '@oncekey/core'
import { MAKE_WRITABLE, OWN_ENCODING, readWrite } from '../sql/left-read-only.ts'
import { speaksUtf8 } from '../sql/pg/client-encoding.ts'
import { begunAlone, inAutocommit } from '../sql/pg/foreign-transaction.ts'
import type { OutsideClient } from '../sql/pg/given-up-session.ts'
import type { PgPool, PgPoolClient, PgResult } from '../sql/pg/pg-client.ts'
import { ignoreError, type PgSession, type PgSource, pgSessions } from '../sql/pg/pg-session.ts'
import { type PgWire, pgWire } from '../sql/pg/pg-wire.ts'
import {
  isOtherEncoding,
  isPreparedElsewhere,
  isReadOnlyServer,
  isSessionFit,
  isSetInSession,
} from '../sql/session-fitness.ts'
import type {
  BeginOptions,
  Isolation,
  QueryOptions,
  ReservedClient,
  SqlClient,
  Statement,
} from '../sql/sql-client.ts'
import {
  answered,
  asError,
  releaseOrDestroy,
  UNDO_TIMEOUT_MS,
  unanswered,
  undo,
} from './answered.ts'
import { pgTransaction, ROLLBACK } from './pg-transaction.ts'

/** Makes a client from a `pg` pool. */
export function fromPg<Client>(
  pool: PgPool<Client>,
  options: { readonly prepare: boolean },
): SqlClient<Client> {
  const lender = pool as PgPool<PgPoolClient>
  const poolSize = pool.options.max ?? 10
  listenToEncodings(pool)
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
 * From its opening on, so that nothing that somebody sets before we borrow a client is missed. A
 * query that somebody sent and did not await is waited for when we borrow it.
 */
function listenToEncodings(pool: object): void {
  if (listenedToEncodings.has(pool)) return
  listenedToEncodings.add(pool)
  const { on } = pool as {
    on?(event: 'connect', listener: (client: PgPoolClient) => void): unknown
  }
  on?.call(pool, 'connect', (client) => void speaksUtf8(client))
}

const listenedToEncodings = new WeakSet<object>()

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

/** Makes the client of a store from anything that lends `pg` clients. */
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
        const asked = ask().catch((error) => {
          const setRight = whatSetsRight(error)
          if (setRight !== undefined) {
            const again = () => wire.last(session.client, [...setRight, statement])
            return sentAgain(session, again, until)
          }
          if (!isPreparedElsewhere(error)) throw error
          wire.forgetPrepared(session.client)
          return ask()
        })
        const { rows } = await inAutocommit(session.client, asked)
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
          const { client } = session
          const work = begunAlone(client, () => wire.two(client, begin(isolation), first))
          return answered(session, work, { timeoutMs: until - performance.now(), mayCancel: true })
        }
        const { rows } = await ask()
          .then(([, result]) => result)
          .catch(async (error) => {
            // Nothing has run yet, so the same statements can be sent a second time.
            const setRight = whatSetsRight(error)
            if (setRight === undefined && !isPreparedElsewhere(error)) throw error
            await within(UNDO_TIMEOUT_MS, wire.one(session.client, ROLLBACK), unanswered)
            if (setRight !== undefined) {
              const { client } = session
              const again = () => wire.last(client, [begin(isolation), ...setRight, first])
              return await sentAgain(session, () => begunAlone(client, again), until)
            }
            wire.forgetPrepared(session.client)
            return (await ask())[1]
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

/**
 * What goes in front of a statement that was refused because of what an earlier user left in the
 * session.
 */
function whatSetsRight(error: unknown): readonly Statement[] | undefined {
  if (isReadOnlyServer(error)) return MAKE_WRITABLE
  return isOtherEncoding(error) ? OWN_ENCODING : undefined
}

/**
 * Sends a statement again that the session refused, behind the statements that set the session
 * right.
 */
async function sentAgain(
  session: PgSession,
  send: () => Promise<PgResult>,
  until: number,
): Promise<PgResult> {
  const timeoutMs = until - performance.now()
  return await answered(session, send(), { timeoutMs, mayCancel: false }).catch((error) => {
    throw readWrite(error)
  })
}

function reserved(session: PgSession, wire: PgWire): ReservedClient {
  let isOver = false
  return {
    async query<Row>(statement: Statement<Row>, { timeoutMs }: { timeoutMs: number }) {
      try {
        const until = performance.now() + timeoutMs
        const work = wire.one(session.client, statement)
        const mayCancel = statement.cancellable === true
        const asked = answered(session, work, { timeoutMs, mayCancel }).catch((error) => {
          const setRight = whatSetsRight(error)
          if (setRight === undefined) throw error
          const again = () => wire.last(session.client, [...setRight, statement])
          return sentAgain(session, again, until)
        })
        const { rows } = await inAutocommit(session.client, asked)
        return rows as Row[]
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

function begin(isolation: Isolation): Statement {
  const text = `BEGIN ISOLATION LEVEL ${isolation.toUpperCase()}`
  return { name: 'begin', text, values: [], hasNoRows: true }
}
