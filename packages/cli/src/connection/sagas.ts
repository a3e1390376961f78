import type { SagaOperator } from '@oncekey/saga'
import type { Call } from '../command/command.ts'
import { remoteSagas, type Sagas } from '../remote/sagas.ts'

/** Access to sagas, in the schema or through the dashboard that was named. */
export async function sagasFor(call: Call): Promise<Sagas> {
  const api = call.dashboard()
  return api === undefined ? await sagasOf(call) : remoteSagas(api, () => call.act().note)
}

/** Access to sagas in the schema. */
export async function sagasOf(call: Call): Promise<SagaOperator> {
  const { sagaOperator } = await import('@oncekey/saga')
  return sagaOperator({ client: call.postgres(), schema: call.schema })
}
