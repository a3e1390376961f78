import type { EventSummary, Events } from '@oncekey/postgres'
import { usageError } from '../command/cli-error.ts'
import type { DashboardApi } from '../command/dashboard-api.ts'
import { listIn } from './api.ts'

/** The functions of the log's events that the verbs use. */
export type EventsToSee = Pick<Events, 'list' | 'get' | 'place' | 'since'>

interface Page {
  readonly items: readonly EventSummary[]
  readonly next?: string
}

/** Events of the log behind a dashboard. They can be listed, but not followed. */
export function remoteEvents(api: DashboardApi): EventsToSee {
  return {
    async list({ types, subject }, { limit, after }) {
      const asked = { type: types?.join(' '), subject, limit: String(limit), after }
      const found = await api.get<Page>('events', asked)
      return { items: listIn(found.items), next: found.next }
    },
    get: async (id) =>
      (await api.find<{ event: EventSummary | null }>('events/one', { id }))?.event ?? undefined,
    place: () => Promise.reject(notFollowed()),
    since: () => Promise.reject(notFollowed()),
  }
}

function notFollowed() {
  return usageError('Events cannot be followed through a dashboard: name the database.')
}
