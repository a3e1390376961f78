import type { Lag } from '@oncekey/core'
import type { ConsumerSummary } from '@oncekey/postgres'
import type { DashboardApi } from '../command/dashboard-api.ts'
import { listIn } from './api.ts'

/**
 * A consumer as it is listed. A dashboard that was given `lag` and not `consumers` knows how far it
 * is behind, and nothing else of it.
 */
export interface ListedConsumer extends Partial<Omit<ConsumerSummary, 'name'>> {
  readonly name: string
  /** `null` if a dashboard does not know it: 0 would say that the consumer is not behind. */
  readonly lag: Pick<Lag, 'events' | 'oldestMs'> | null
}

/** The functions for a dashboard's consumers that the verbs use. */
export interface RemoteConsumers {
  list(): Promise<ListedConsumer[]>
  pause(name: string): Promise<'done' | 'already'>
  resume(name: string): Promise<'done' | 'already'>
}

interface Shown {
  readonly name: string
  readonly lag: Lag | null
  /** `null` if the dashboard has no option `consumers`. */
  readonly record: ConsumerSummary | null
}

export function remoteConsumers(api: DashboardApi, noteOf: () => string): RemoteConsumers {
  const act = async (verb: 'pause' | 'resume', consumer: string) => {
    const fields = { consumer, note: noteOf(), confirmed: 'yes' }
    const { result } = await api.post<{ result: string }>(`consumers/${verb}`, fields)
    return result === 'done' ? 'done' : 'already'
  }
  return {
    async list() {
      const found = await api.get<{ consumers?: Shown[] }>('consumers', {})
      return listIn(found.consumers).flatMap(({ name, lag, record }) => {
        const known = lag?.known ? lag : null
        // One that was only named for the dashboard, and that no relay has made known.
        return record === null && known === null ? [] : [{ ...record, name, lag: known }]
      })
    },
    pause: (name) => act('pause', name),
    resume: (name) => act('resume', name),
  }
}
