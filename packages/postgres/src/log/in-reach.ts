import type { Statement } from '../sql/sql-client.ts'
import { sqlState } from '../sql/sql-state.ts'
import type { LogState } from './log-state.ts'
import { useUpNumber } from './statements/reading.ts'

/**
 * Runs a statement that takes a snapshot. The server refuses it if too many transactions have begun
 * since the last completed one that has a number. Then this function completes a transaction with a
 * number, and tries again.
 */
export async function inReach<Tx, Row>(
  log: LogState<Tx>,
  statement: Statement<Row>,
  tries = 3,
): Promise<Row[]> {
  try {
    return await log.ask(statement)
  } catch (error) {
    if (sqlState(error) !== OUT_OF_REACH || tries === 1) throw error
    await log.ask(useUpNumber())
    return inReach(log, statement, tries - 1)
  }
}

const OUT_OF_REACH = 'OK005'
