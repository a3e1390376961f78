import type { SqlClient, Statement } from '../../src/sql/sql-client.ts'

/** Functions that are called while one step of a store is under way. Each is called once. */
export interface LateSteps {
  /**
   * Called after the handler's transaction has its snapshot, and before the key's lock is
   * requested.
   */
  beforeLock?(): Promise<void>
  /** Called after a rollback, and before the refusal that follows it is stored. */
  beforeRefusal?(): Promise<void>
}

/** A client that calls these functions at the worst moments. */
export function withLateSteps<Tx>(client: SqlClient<Tx>, late: LateSteps): SqlClient<Tx> {
  const once = async (step: keyof LateSteps): Promise<void> => {
    const happens = late[step]
    delete late[step]
    await happens?.()
  }

  return {
    ...client,
    async begin(options) {
      const { transaction } = await client.begin({ ...options, first: SNAPSHOT })
      try {
        await once('beforeLock')
        const rows = await transaction.query(options.first)
        return {
          rows,
          transaction: {
            ...transaction,
            async rollback({ next, timeoutMs }) {
              await transaction.rollback({ timeoutMs })
              if (next === undefined) return []
              await once('beforeRefusal')
              return await client.query(next, { timeoutMs })
            },
          },
        }
      } catch (error) {
        transaction.destroy(error as Error)
        throw error
      }
    },
  }
}

const SNAPSHOT: Statement<never> = { name: 'snapshot', text: 'select', values: [] }
