import type { ListedRun, SagaOperator, WholeRun } from '@oncekey/saga'
import type { DashboardApi } from '../command/dashboard-api.ts'
import { listIn } from './api.ts'

/** The functions for sagas that the verbs use. */
export interface Sagas extends Pick<SagaOperator, 'get' | 'list'> {
  resume(...given: Parameters<SagaOperator['resume']>): Promise<Acted>
  compensate(...given: Parameters<SagaOperator['compensate']>): Promise<Acted>
  settle(...given: Parameters<SagaOperator['settle']>): Promise<Acted>
}

/** Whether a run is as an act was to leave it, and how the act has left it. */
export interface Acted {
  readonly isDone: boolean
  /** A state, or why nothing was changed. */
  readonly state: string
}

interface Answer {
  readonly result: string
  readonly state?: string
}

/** Runs of sagas through a dashboard. */
export function remoteSagas(api: DashboardApi, noteOf: () => string): Sagas {
  /**
   * Performs an act. What it did is in its own reply: the run may have gone on since, and may be in
   * any state when it is read again. A dashboard of the release before says `done` without a state.
   */
  const act = async (
    verb: string,
    id: string,
    more: Readonly<Record<string, string | undefined>> = {},
  ): Promise<Acted> => {
    const fields = { id, ...more, note: noteOf(), confirmed: 'yes' }
    const { result, state = result } = await api.post<Answer>(`sagas/${verb}`, fields)
    return { isDone: result === 'done', state }
  }

  return {
    get: (id) => api.find<WholeRun>('sagas/run', { id }),

    async list({ saga, state, stuck, after, limit = 100 } = {}) {
      const asked = { saga, state, stuck: stuck ? 'yes' : undefined, after, limit: String(limit) }
      return [...listIn((await api.get<{ items: ListedRun[] }>('sagas', asked)).items)]
    },

    resume: (id) => act('resume', id),
    compensate: (id, { pastPivot = false } = {}) =>
      act('compensate', id, { pastPivot: pastPivot ? 'yes' : undefined }),
    settle: (id) => act('settle', id),
  }
}
