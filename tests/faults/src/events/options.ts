import type { CampaignOptions, StoreName } from '../options.ts'
import type { BrokenRelay } from './programs/broken-relay.ts'

export const EVENT_STORES = [
  'postgres',
  'postgres-standby-async',
  'postgres-standby-sync',
  'redis',
  'redis-sentinel',
] as const satisfies readonly StoreName[]
export type EventStoreName = (typeof EVENT_STORES)[number]

export interface EventCampaignOptions
  extends Omit<CampaignOptions, 'store' | 'orders' | 'broken' | 'adapters'> {
  readonly store: EventStoreName
  /** How many producing operations there are: most emit one event, some none, some several. */
  readonly operations: number
  /**
   * For how long operations are begun. The operations that are left after that, and their faults,
   * are left out.
   */
  readonly minutes: number
  /** Deliberately wrong relays, to see that the campaign finds them. */
  readonly broken: BrokenRelay | undefined
}
