import type { Server } from 'node:http'
import type { Place } from '../redis-peers/redis-peer.ts'

/** Starts an app whose `POST /orders` is idempotent with Redis, as its documentation shows it. */
export type FolderPeer = (options: FolderPeerOptions) => Promise<Server>

export interface FolderPeerOptions {
  readonly place: Place
  /** Of Redis. */
  readonly url: string
  /** Imports a package that is installed in the folder of peers. */
  // biome-ignore lint/suspicious/noExplicitAny: its types are not installed here
  load(name: string): Promise<any>
}
