import type { ListedRun, RunState, SagaOperator, WholeRun } from '@oncekey/saga'
import { CliError } from '../command/cli-error.ts'
import type { DashboardApi } from '../command/dashboard-api.ts'
import { ExitCode } from '../command/exit-code.ts'

/** The functions of a saga operator that the verbs use. */
export type Sagas = Pick<SagaOperator, 'get' | 'list' | 'resume' | 'compensate' | 'settle'>

/** Runs of sagas through a dashboard. */
export function remoteSagas(api: DashboardApi, noteOf: () => string): Sagas {
  /**
   * Performs an act and returns the state after it. If nothing was changed, the dashboard's reply
   * contains that state.
   */
  const act = async (
    verb: string,
    id: string,
    more: Readonly<Record<string, string | undefined>> = {},
  ): Promise<RunState> => {
    const fields = { id, ...more, note: noteOf(), confirmed: 'yes' }
    const { result } = await api.post<{ result: string }>(`sagas/${verb}`, fields)
    const state = (await api.get<WholeRun>('sagas/run', { id }))?.state
    if (result === 'done' && state !== undefined) return state
    throw new CliError(ExitCode.found, `Run ${id} is ${result}: nothing was changed.`)
  }

  return {
    get: (id) => api.get<WholeRun>('sagas/run', { id }),

    async list({ saga, state, stuck, after, limit = 100 } = {}) {
      const asked = { saga, state, stuck: stuck ? 'yes' : undefined, after, limit: String(limit) }
      return [...((await api.get<{ items: ListedRun[] }>('sagas', asked))?.items ?? [])]
    },

    resume: (id) => act('resume', id),
    compensate: (id, { pastPivot = false } = {}) =>
      act('compensate', id, { pastPivot: pastPivot ? 'yes' : undefined }),
    settle: (id) => act('settle', id),
  }
}
