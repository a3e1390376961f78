import type { SagaOperator } from '@oncekey/saga'
import type { Call } from '../command/command.ts'

/** Runs of sagas of the schema. */
export async function sagasOf(call: Call): Promise<SagaOperator> {
  const { sagaOperator } = await import('@oncekey/saga')
  return sagaOperator({ client: call.postgres(), schema: call.schema })
}
