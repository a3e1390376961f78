import type { BeginOptions, SqlClient, SqlTransaction } from '../sql/sql-client.ts'

/**
 * Opens a transaction whose first statement replies with JSON. A reply that cannot be read rolls
 * the transaction back: nobody else would, and it would hold its locks and its connection until the
 * server ends it.
 */
export async function beginWithReply<Reply, Tx>(
  client: Pick<SqlClient<Tx>, 'begin'>,
  options: BeginOptions<{ readonly reply: string }>,
): Promise<{ readonly reply: Reply; readonly transaction: SqlTransaction<Tx> }> {
  const { rows, transaction } = await client.begin(options)
  try {
    return { reply: JSON.parse(rows[0]?.reply ?? ''), transaction }
  } catch (error) {
    // If that fails, the connection is destroyed.
    await transaction.rollback({ timeoutMs: ROLLBACK_TIMEOUT_MS }).catch(() => {})
    throw error
  }
}

const ROLLBACK_TIMEOUT_MS = 1_000
