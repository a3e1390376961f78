import type { SqlClient, Statement } from '../../src/sql/sql-client.ts'

/** What happens elsewhere while one step of a store is under way: each is called once. */
export interface LateSteps {
  /** After the handler's transaction has its snapshot, before the key's lock is asked for. */
  beforeLock?(): Promise<void>
  /** After a rollback, before the refusal that follows it is kept. */
  beforeRefusal?(): Promise<void>
}

/** A client whose server is slow exactly where it hurts. */
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
