import type {
  DeadLetterDetail,
  DeadLetterFilter,
  DeadLetterPage,
  DeadLetterSource,
  DeadLetterStats,
  Redriven,
  Replaced,
  Resolution,
} from '@oncekey/core'
import { usageError } from '../command/cli-error.ts'
import type { DashboardApi } from '../command/dashboard-api.ts'

interface Letters {
  readonly page: DeadLetterPage
  readonly stats: DeadLetterStats
}

/** Dead letters through a dashboard. `noteOf` is asked where something is done: why. */
export function remoteDeadLetters(
  api: DashboardApi,
  source: string,
  noteOf: () => string,
): DeadLetterSource {
  const list = async (
    filter: DeadLetterFilter,
    page: { readonly limit: number; readonly after?: string },
    state: 'dead' | 'retrying',
  ): Promise<DeadLetterPage> => {
    const asked = {
      source,
      ...fieldsOf(filter),
      state,
      limit: String(page.limit),
      after: page.after,
    }
    const found = await api.get<Letters>('dead-letters', asked)
    return { items: found?.page.items ?? [], next: found?.page.next }
  }
  const act = <Result>(verb: string, fields: Readonly<Record<string, string | undefined>>) =>
    api.post<Result>(`dead-letters/${verb}`, {
      source,
      ...fields,
      note: noteOf(),
      confirmed: 'yes',
    })

  return {
    name: source,
    list: (filter, page) => list(filter, page, 'dead'),
    listRetrying: (filter, page) => list(filter, page, 'retrying'),

    async get(id) {
      return (await api.get<{ letter: DeadLetterDetail }>('dead-letters/one', { source, id }))
        ?.letter
    },

    async count(filter) {
      if (filter.ids !== undefined) return filter.ids.length
      const asked = { source, ...fieldsOf(filter) }
      return (await api.get<{ matched: number }>('dead-letters/preview', asked))?.matched ?? 0
    },

    async redrive(filter, { limit }) {
      if (filter.ids === undefined) {
        return await act<Redriven>('redrive', { ...fieldsOf(filter), limit: String(limit) })
      }
      const redriven: string[] = []
      const refused: Resolution[] = []
      for (const id of filter.ids.slice(0, limit)) {
        const done = await act<Redriven>('redrive', { id })
        redriven.push(...done.redriven)
        refused.push(...done.refused)
      }
      return { redriven, refused }
    },

    async discard(ids) {
      const resolutions: Resolution[] = []
      for (const id of ids) {
        const done = await act<{ resolutions: Resolution[] }>('discard', { id })
        resolutions.push(...done.resolutions)
      }
      return resolutions
    },

    replace: (id, data) => act<Replaced>('edit', { id, data }),

    async stats() {
      const found = await api.get<Letters>('dead-letters', { source, limit: '1' })
      if (found === undefined) throw usageError(`The dashboard shows no dead letters of ${source}.`)
      return found.stats
    },
  }
}

function fieldsOf(filter: DeadLetterFilter): Readonly<Record<string, string | undefined>> {
  const { origin, type, subject, fingerprint, reason, eventIds, deadAfter, deadBefore } = filter
  if (filter.retired === true || (eventIds?.length ?? 0) > 1) {
    throw usageError(
      'Through a dashboard neither --retired nor more than one --event can be asked for: name the database.',
    )
  }
  return {
    origin,
    type,
    subject,
    fingerprint,
    reason,
    event: eventIds?.[0],
    deadAfter: deadAfter?.toISOString(),
    deadBefore: deadBefore?.toISOString(),
  }
}
