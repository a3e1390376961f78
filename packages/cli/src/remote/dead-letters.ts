import {
  type DeadLetterDetail,
  type DeadLetterFilter,
  type DeadLetterPage,
  type DeadLetterSource,
  type DeadLetterStats,
  type Replaced,
  type Resolution,
  resolvedSoFar,
} from '@oncekey/core'
import { CliError, usageError } from '../command/cli-error.ts'
import type { DashboardApi } from '../command/dashboard-api.ts'
import { ExitCode } from '../command/exit-code.ts'
import { listIn } from './api.ts'
import { remoteRedrives } from './redrives.ts'

interface Letters {
  readonly page: DeadLetterPage
  readonly stats: DeadLetterStats
}

/** Dead letters through a dashboard. `noteOf` returns the reason, and is called only for acts. */
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
    const { page: found } = await api.get<Partial<Letters>>('dead-letters', asked)
    return { items: listIn(found?.items), next: found?.next }
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
      return (await api.find<{ letter: DeadLetterDetail }>('dead-letters/one', { source, id }))
        ?.letter
    },

    async count(filter) {
      if (filter.ids !== undefined) return filter.ids.length
      const asked = { source, ...fieldsOf(filter) }
      return (await api.get<{ matched: number }>('dead-letters/preview', asked)).matched
    },

    /** Only says why letters are left; what puts them back is a redrive on record. */
    async redrive(filter, { limit }) {
      if (limit > 0 || filter.ids === undefined) throw new Error('Start a redrive on record.')
      const refused: Resolution[] = []
      for (const id of filter.ids) {
        const asked = { source, id }
        const found = await api.find<{ letter: DeadLetterDetail }>('dead-letters/one', asked)
        refused.push({ id, outcome: outcomeOf(found?.letter) })
      }
      return { redriven: [], refused }
    },

    redrives: remoteRedrives(api, source, noteOf, fieldsOf),

    async discard(ids) {
      return await resolvedSoFar(ids, async (id) => {
        const { resolutions } = await act<{ resolutions: Resolution[] }>('discard', { id })
        return resolutions
      })
    },

    replace: (id, data) => act<Replaced>('edit', { id, data }),

    async stats() {
      const { stats } = await api.get<Partial<Letters>>('dead-letters', { source, limit: '1' })
      listIn(stats?.groups)
      return stats as DeadLetterStats
    },
  }
}

/**
 * The data of a letter, to be edited. Refused where the dashboard's mask has changed it: an edit of
 * that would send the mask's text. Input of sagas is shown all the same, because nobody edits it.
 */
export async function remoteData(
  api: DashboardApi,
  source: string,
  id: string,
): Promise<string | undefined> {
  type Shown = { readonly letter: DeadLetterDetail; readonly isEditable: boolean }
  const found = await api.find<Shown>('dead-letters/one', { source, id })
  if (found?.isEditable === false && source !== 'sagas') {
    throw new CliError(
      ExitCode.found,
      'The mask of this dashboard changes the data of this letter, so it cannot be edited from here: name the database.',
    )
  }
  return found?.letter.data
}

function outcomeOf(letter: DeadLetterDetail | undefined): Resolution['outcome'] {
  if (letter === undefined) return 'unknown'
  if (letter.state === 'dead') return 'not-matched'
  if (letter.state !== 'resolved') return letter.state
  return letter.resolution === 'discarded' ? 'already-discarded' : 'already-done'
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
