import type {
  DeadLetterFilter,
  Redrive,
  RedrivePage,
  RedrivePortionPage,
  Redrives,
} from '@oncekey/core'
import type { DashboardApi, Fields } from '../command/dashboard-api.ts'
import { listIn } from './api.ts'

/**
 * Redrives of one source, through a dashboard. `noteOf` returns the reason, and is called only for
 * acts. `fieldsOf` turns a filter into fields of the API.
 */
export function remoteRedrives(
  api: DashboardApi,
  source: string,
  noteOf: () => string,
  fieldsOf: (filter: DeadLetterFilter) => Fields,
): Redrives {
  return {
    async start(filter, { ratePerSecond, limit, requestId }) {
      const { id } = await api.post<{ id: string }>('redrives/start', {
        source,
        ...fieldsOf(filter),
        ids: filter.ids && JSON.stringify(filter.ids),
        ratePerSecond: ratePerSecond?.toString(),
        limit: limit?.toString(),
        requestId,
        note: noteOf(),
        confirmed: 'yes',
      })
      return id
    },

    /** Does nothing: the processes that work the source behind the dashboard carry the redrive. */
    carry: async () => ({ redriven: 0, nextInMs: LOOK_AGAIN_MS }),

    get: async (id) =>
      (await api.find<{ redrive: Redrive }>('redrives/one', { source, id }))?.redrive,

    async list(_filter, { limit, after }) {
      const asked = { source, limit: String(limit), after }
      const { page } = await api.get<{ page?: RedrivePage }>('redrives', asked)
      return { items: listIn(page?.items), next: page?.next }
    },

    async portions(id, { limit, after }) {
      const asked = { source, id, limit: String(limit), after }
      const found = await api.find<{ portions: RedrivePortionPage }>('redrives/one', asked)
      return found?.portions ?? { items: [], next: undefined, last: undefined }
    },

    async cancel(id) {
      const fields = { source, id, note: noteOf(), confirmed: 'yes' }
      const { result } = await api.post<{ result: string }>('redrives/cancel', fields)
      return result === 'done' ? 'cancelled' : 'over'
    },
  }
}

const LOOK_AGAIN_MS = 500
