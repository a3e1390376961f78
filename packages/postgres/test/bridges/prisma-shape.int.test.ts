import { randomUUID } from 'node:crypto'
import { describeStore } from '@oncekey/conformance'
import { migrate, postgresStore } from '@oncekey/postgres'
import type { Pool, PoolClient } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { attemptOf, claimOf, kept } from '../database/claims.ts'
import { testDatabase } from '../database/test-database.ts'
import { fromPrisma } from './snippets/prisma.ts'

/**
 * A client that looks like a Prisma client with a driver adapter: it has interactive transactions
 * whose object has raw statements and no pool, and rows of JavaScript values. It runs on a real
 * server.
 */
function prismaOn(pool: Pool) {
  return {
    ...rawOn(pool),
    async $transaction<T>(
      body: (tx: Raw) => Promise<T>,
      { isolationLevel, timeout }: { isolationLevel: string; timeout: number },
    ): Promise<T> {
      const client = await pool.connect()
      let isOver = false
      const late = setTimeout(() => {
        isOver = true
      }, timeout)
      try {
        await client.query('begin')
        await client.query(`set transaction isolation level ${LEVELS[isolationLevel]}`)
        const result = await body(rawOn(client, () => isOver))
        await client.query('commit')
        return result
      } catch (error) {
        await client.query('rollback')
        throw error
      } finally {
        isOver = true
        clearTimeout(late)
        client.release()
      }
    },
  }
}

interface Raw {
  $queryRawUnsafe<Rows>(text: string, ...values: unknown[]): Promise<Rows>
  $executeRawUnsafe(text: string, ...values: unknown[]): Promise<number>
}

function rawOn(on: Pool | PoolClient, isOver = () => false): Raw {
  const ask = async (text: string, values: unknown[]) => {
    if (isOver()) throw Object.assign(new Error('Transaction already closed'), { code: 'P2028' })
    try {
      return await on.query(text, values)
    } catch (cause) {
      const { code: originalCode, message: originalMessage } = cause as Error & { code?: string }
      const driverAdapterError = { cause: { originalCode, originalMessage } }
      throw Object.assign(new Error(`Raw query failed. ${originalMessage}`), {
        code: 'P2010',
        meta: { driverAdapterError },
      })
    }
  }
  return {
    $queryRawUnsafe: async <Rows>(text: string, ...values: unknown[]) =>
      (await ask(text, values)).rows as Rows,
    $executeRawUnsafe: async (text, ...values) => (await ask(text, values)).rowCount ?? 0,
  }
}

const LEVELS: Record<string, string> = {
  ReadCommitted: 'read committed',
  RepeatableRead: 'repeatable read',
  Serializable: 'serializable',
}

const database = testDatabase()
let pool: Pool
beforeAll(async () => {
  pool = database.pool({ max: 20 })
  await migrate(fromPrisma(prismaOn(pool), 20))
})
afterAll(() => pool.end())

describeStore<Raw>({
  name: 'the shape of Prisma',
  modelRuns: 5,
  create: () => ({
    store: postgresStore({ client: fromPrisma(prismaOn(pool), 20) }),
    write: (tx, id) => tx.$executeRawUnsafe('insert into orders values ($1)', id),
    fail: (tx) => tx.$queryRawUnsafe('select 1 / 0').catch(() => {}),
    async written(id, within) {
      if (within === undefined) return database.hasOrder(id)
      const rows = await within.$queryRawUnsafe<unknown[]>('select 1 from orders where id = $1', id)
      return rows.length === 1
    },
  }),
})

test('its transaction cannot be ended by raw SQL, nor opened anew inside', async () => {
  const store = postgresStore({ client: fromPrisma(prismaOn(pool), 20) })
  const attempt = attemptOf(await store.begin(claimOf()))
  const tx = await attempt.transaction()
  await expect(tx.$executeRawUnsafe('commit')).rejects.toMatchObject({
    code: 'transaction-control',
  })
  const id = randomUUID()
  await tx.$executeRawUnsafe('insert into orders values ($1)', id)
  expect(await attempt.complete(kept('done'))).toBe('stored')
  expect(await database.hasOrder(id)).toBe(true)
})
