import type { ConsumerControl } from '@oncekey/core'
import type { Statement } from '../sql/sql-client.ts'
import { pausedConsumers, reportWork, setPaused } from './statements/consumer-control.ts'

/** Pauses and resumes consumers, and stores what relays report of their work. */
export function consumerControl(
  ask: <Row>(statement: Statement<Row>) => Promise<Row[]>,
  schema: string,
): ConsumerControl {
  return {
    async pause(consumer, by) {
      const [row] = await ask(setPaused(schema)(consumer, true, by))
      return row === undefined ? 'unknown' : row.outcome === 'done' ? 'paused' : 'already'
    },
    async resume(consumer, by) {
      const [row] = await ask(setPaused(schema)(consumer, false, by))
      return row === undefined ? 'unknown' : row.outcome === 'done' ? 'resumed' : 'already'
    },
    async paused(consumers) {
      return (await ask(pausedConsumers(schema)(consumers))).map(({ name }) => name)
    },
    async report(work) {
      await ask(reportWork(schema)(work))
    },
  }
}
