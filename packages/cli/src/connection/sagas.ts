import type { RunState, SagaOperator } from '@oncekey/saga'
import type { Call } from '../command/command.ts'
import { type Acted, remoteSagas, type Sagas } from '../remote/sagas.ts'

/** Access to sagas, in the schema or through the dashboard that was named. */
export async function sagasFor(call: Call): Promise<Sagas> {
  const api = call.dashboard()
  return api === undefined
    ? localSagas(await sagasOf(call))
    : remoteSagas(api, () => call.act().note)
}

function localSagas(operator: SagaOperator): Sagas {
  const acted = (state: RunState | 'under-way', ...meant: readonly RunState[]): Acted => ({
    isDone: meant.some((each) => each === state),
    state,
  })
  return {
    get: (id) => operator.get(id),
    list: (filter) => operator.list(filter),
    resume: async (id, by) => acted(await operator.resume(id, by), 'running', 'compensating'),
    compensate: async (id, how) =>
      acted(await operator.compensate(id, how), 'compensating', 'compensated'),
    settle: async (id, note, by) => acted(await operator.settle(id, note, by), 'settled'),
  }
}

/** Access to sagas in the schema. */
export async function sagasOf(call: Call): Promise<SagaOperator> {
  const { sagaOperator } = await import('@oncekey/saga')
  return sagaOperator({ client: call.postgres(), schema: call.schema })
}
