import type { Statement } from '../sql-client.ts'
import { sqlState } from '../sql-state.ts'
import type { LogState } from './log-state.ts'
import { useUpNumber } from './statements/use-up-number.ts'

/**
 * Asks for something that takes a snapshot; where too many transactions have begun since the last that
 * has completed, this ends one.
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
