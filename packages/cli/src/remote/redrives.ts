import type { Redrive, RedrivePage, RedriveRecords } from '@oncekey/core'
import type { DashboardApi } from '../command/dashboard-api.ts'

/** What verbs for redrives use of them. */
export type RedrivesToSee = Pick<RedriveRecords, 'get' | 'list' | 'cancel'>

/** Redrives of one source, through a dashboard. */
export function remoteRedrives(
  api: DashboardApi,
  source: string,
  noteOf: () => string,
): RedrivesToSee {
  return {
    get: async (id) =>
      (await api.get<{ redrive: Redrive }>('redrives/one', { source, id }))?.redrive,

    async list(_filter, { limit, after }) {
      const asked = { source, limit: String(limit), after }
      const found = await api.get<{ page: RedrivePage }>('redrives', asked)
      return found?.page ?? { items: [], next: undefined }
    },

    async cancel(id) {
      const fields = { source, id, note: noteOf(), confirmed: 'yes' }
      const { result } = await api.post<{ result: string }>('redrives/cancel', fields)
      return result === 'done' ? 'cancelled' : 'over'
    },
  }
}
