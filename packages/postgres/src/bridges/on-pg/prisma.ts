import { OncekeyError, OptionsError } from '@oncekey/core'
import type { PgClient, PgPool } from '../../sql/pg/pg-client.ts'
import type { SqlClient } from '../../sql/sql-client.ts'
import { fromPg } from '../from-pg.ts'
import { transactionOver } from '../handle/transaction-errors.ts'
import { onDriver, type Wrapped } from '../on-driver.ts'
import { lendTo } from './lent-clients.ts'

/** The part of a PrismaClient that is used here. */
export interface PrismaDatabase<Tx> {
  $transaction<T>(
    callback: (tx: Tx) => Promise<T>,
    options?: { maxWait?: number; timeout?: number },
  ): Promise<T>
  $extends: unknown
}

export interface PrismaOptions {
  /** The Pool that the adapter was made with: `new PrismaPg(pool)`. Prisma does not expose it. */
  readonly pool: PgPool
}

/**
 * Prisma 7 on `@prisma/adapter-pg` as a client for {@link postgresStore}: a handler's
 * `transaction()` is a `Prisma.TransactionClient`.
 *
 * @example
 * ```ts
 * const pool = new Pool({ connectionString })
 * const prisma = new PrismaClient({ adapter: new PrismaPg(pool) })
 * const store = postgresStore({ client: fromPrisma(prisma, { pool }) })
 * // in a handler
 * const tx = await once.of(req).transaction()
 * await tx.order.create({ data: { item } })
 * ```
 */
export function fromPrisma<Tx extends object>(
  prisma: PrismaDatabase<Tx>,
  options: PrismaOptions,
): SqlClient<Tx> {
  if (typeof prisma?.$transaction !== 'function') throw notPrisma()
  // A transaction of Prisma has no such method.
  if (typeof prisma.$extends !== 'function') throw notPrisma()
  const pool = options?.pool as PgPool<PgClient>
  if (typeof pool?.connect !== 'function' || !('totalCount' in pool)) throw notAPool()

  return onDriver(
    fromPg(pool, { prepare: false }),
    (handle) => transactionOn(prisma, pool, handle),
    { statements: {}, refused: [], nested: ['$transaction'] },
  )
}

/** Makes a Prisma transaction on an open one. Prisma counts it as open until `over`. */
function transactionOn<Tx extends object>(
  prisma: PrismaDatabase<Tx>,
  pool: PgPool<PgClient>,
  handle: PgClient,
): Promise<Wrapped<Tx>> {
  return new Promise((resolve, reject) => {
    lendTo(pool, handle, (client) => {
      let isOver = false
      const checked = watched(prisma, () => {
        if (isOver) throw transactionOver()
      })
      const open = (tx: Tx): Promise<void> => {
        if (!client.isTaken()) throw otherPool()
        client.begun()
        return new Promise((end) => {
          const over = (): void => {
            isOver = true
            client.over(end)
          }
          resolve({ tx, over })
        })
      }
      checked.$transaction(open, { maxWait: FOREVER, timeout: FOREVER }).catch(reject)
    })
  })
}

/**
 * The client with `check` called before each of its queries. Prisma sends a query when it is
 * awaited, and for one that is too late it has an error of its own, P2028.
 */
function watched<Tx>(prisma: PrismaDatabase<Tx>, check: () => void): PrismaDatabase<Tx> {
  const own = prisma as { $extends(extension: object): PrismaDatabase<Tx> }
  return own.$extends({
    query: {
      async $allOperations({ args, query }: { args: unknown; query(args: unknown): unknown }) {
        check()
        const result = await query(args)
        // Queries that are sent at once are a batch: Prisma stops at the first that fails, and
        // resolves those behind it.
        if (result === undefined) throw notSent()
        return result
      },
    },
  })
}

/** The store bounds both. This is the longest delay of a timer. */
const FOREVER = 2 ** 31 - 1

function notSent(): OncekeyError {
  return new OncekeyError(
    'transaction-aborted',
    'Prisma did not send this query, because another that was sent at the same time had failed.',
  )
}

function notPrisma(): OptionsError {
  return new OptionsError(
    'fromPrisma: this is not a PrismaClient; its transactions are not one. Write ' +
      'fromPrisma(new PrismaClient({ adapter: new PrismaPg(pool) }), { pool }).',
  )
}

function notAPool(): OptionsError {
  return new OptionsError(
    'fromPrisma: pool: this is not a Pool of the package "pg". Write the one of new PrismaPg(pool).',
  )
}

function otherPool(): OptionsError {
  return new OptionsError(
    'fromPrisma: Prisma did not take a client from this pool. Write new PrismaClient({ adapter: ' +
      'new PrismaPg(pool) }) with the same pool, made by the copy of "pg" that the adapter imports.',
  )
}
