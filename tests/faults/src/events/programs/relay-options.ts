import type { DatabaseAddress } from '../../programs/server-options.ts'
import type { Release } from '../consumed.ts'
import type { EventStoreName } from '../options.ts'
import type { BrokenRelay } from './broken-relay.ts'

/** The options of a relay's process, as JSON in its first argument. */
export interface RelayProcessOptions {
  readonly name: string
  readonly release: Release
  readonly store: EventStoreName
  readonly database: DatabaseAddress
  /** The file in which every relay records what it took. */
  readonly ledger: string
  /** The address of the NATS server that events are published to. */
  readonly broker: string
  readonly broken: BrokenRelay | undefined
}
