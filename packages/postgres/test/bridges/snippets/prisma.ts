import type { Isolation, SqlClient } from '@oncekey/postgres'
import { fromCallbacks } from '@oncekey/postgres/client'

/** A PrismaClient whose adapter is `PrismaPg`; `poolSize` is the adapter's `max`. */
export function fromPrisma<Tx extends Raw>(prisma: Prisma<Tx>, poolSize = 10): SqlClient<Tx> {
  return fromCallbacks<Tx>({
    concurrency: 'many',
    poolSize,
    transaction: (isolation, body) =>
      prisma.$transaction(body, {
        isolationLevel: LEVELS[isolation],
        maxWait: 5_000, // no less than acquireTimeoutMs
        timeout: 300_000, // no less than handlerTimeoutMs: Prisma rolls back by itself after it
      }),
    async query(statement, tx) {
      const on: Raw = tx ?? prisma
      try {
        // The statements of migrate() return no rows, so Prisma executes them.
        if (statement.name !== 'migration')
          return await on.$queryRawUnsafe(statement.text, ...statement.values)
        await on.$executeRawUnsafe(statement.text, ...statement.values)
        return []
      } catch (error) {
        throw asServerError(error)
      }
    },
    rules: {
      statements: {
        $queryRawUnsafe: text,
        $executeRawUnsafe: text,
        $queryRaw: text,
        $executeRaw: text,
      },
      refused: ['$transaction', '$connect', '$disconnect'],
    },
  })
}

interface Raw {
  $queryRawUnsafe<Rows>(text: string, ...values: unknown[]): PromiseLike<Rows>
  $executeRawUnsafe(text: string, ...values: unknown[]): PromiseLike<number>
}

interface Prisma<Tx> extends Raw {
  $transaction<T>(
    body: (tx: Tx) => Promise<T>,
    options: { isolationLevel: Level; maxWait: number; timeout: number },
  ): Promise<T>
}

type Level = 'ReadCommitted' | 'RepeatableRead' | 'Serializable'

const LEVELS: Record<Isolation, Level> = {
  'read committed': 'ReadCommitted',
  'repeatable read': 'RepeatableRead',
  serializable: 'Serializable',
}

const text = (argument: unknown) => String(Array.isArray(argument) ? argument[0] : argument)

/** The server's own code, where Oncekey looks for it. */
function asServerError(error: unknown): unknown {
  const { originalCode } = Object(Object(Object(error).meta).driverAdapterError).cause ?? {}
  if (typeof originalCode !== 'string') return error
  return Object.assign(new Error(String(error), { cause: error }), {
    code: originalCode,
    severity: 'ERROR',
  })
}
