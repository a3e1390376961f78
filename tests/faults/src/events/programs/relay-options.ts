import type { DatabaseAddress } from '../../programs/server-options.ts'
import type { Release } from '../consumed.ts'
import type { EventStoreName } from '../options.ts'
import type { BrokenRelay } from './broken-relay.ts'

/** What a relay's process is started with, as JSON in its first argument. */
export interface RelayProcessOptions {
  readonly name: string
  readonly release: Release
  readonly store: EventStoreName
  readonly database: DatabaseAddress
  /** The file that everybody notes in what was taken. */
  readonly ledger: string
  /** Of the NATS that events are published to. */
  readonly broker: string
  readonly broken: BrokenRelay | undefined
}
