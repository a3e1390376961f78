import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Order, PlacedOrder } from '../contenders/order.ts'
import { type FolderPeerName, folderPeers } from '../folder-peers/folder-peers.ts'
import { answer, cpuMicros } from '../verbs.ts'

let runs = 0

const verbs = {
  /** Returns the port; `folder` is where the peers are installed. */
  async listen(peer: FolderPeerName, url: string, folder: string): Promise<number> {
    const load = (name: string) => import(pathToFileURL(fileOf(name, folder)).href)
    const server = await folderPeers[peer]({ place, url, load })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },
  runs: () => runs,
  cpuMicros,
}

function place({ customer, item, cents }: Order): PlacedOrder {
  runs += 1
  return { id: 'order-1', customer, item, cents, state: 'placed' }
}

/** What `import` finds in a module of that folder; Node tells that only with a flag. */
function fileOf(name: string, folder: string): string {
  const own = name.split('/', name.startsWith('@') ? 2 : 1).join('/')
  const at = join(folder, 'node_modules', own)
  const { exports, main } = JSON.parse(readFileSync(join(at, 'package.json'), 'utf8'))
  const entry = exports === undefined ? main : exports[`.${name.slice(own.length)}`].import
  return join(at, typeof entry === 'string' ? entry : entry.default)
}

export type FolderPeerApp = typeof verbs

answer(verbs)
