import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { otel } from '@oncekey/telemetry/otel'
import { prometheus } from '@oncekey/telemetry/prometheus'
import express from 'express'
import { Pool } from 'pg'
import { Registry } from 'prom-client'
import { contenders } from '../contenders/contenders.ts'
import { inServerSpans, meters, startTracing } from '../open-telemetry.ts'
import { answer, cpuMicros } from '../verbs.ts'

const verbs = {
  /** Returns the port on which it takes orders. */
  async listen({ url, connections, watch }: WatchedOptions): Promise<number> {
    const watched = watchers[watch]()
    // Connections stay open between rounds, so that no round starts with opening them.
    const pool = new Pool({ connectionString: url, max: connections, idleTimeoutMillis: 0 })
    const app = express()
    app.use(express.json())
    contenders.Oncekey({ pool, prepare: false, event: false }).mount(app)
    const server = createServer(watched(app)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },

  cpuMicros,
}

/** Each returns what wraps the listener of the server. Every request is sampled. */
const watchers = {
  nobody: () => unwrapped,
  prometheus: () => {
    prometheus({ register: new Registry() })
    return unwrapped
  },
  'the SDK alone': () => {
    startTracing()
    return inServerSpans
  },
  'the SDK and otel': () => {
    startTracing()
    otel({ meterProvider: meters() })
    return inServerSpans
  },
} satisfies Record<string, () => (handle: RequestListener) => RequestListener>

function unwrapped(handle: RequestListener): RequestListener {
  return handle
}

export interface WatchedOptions {
  readonly url: string
  readonly connections: number
  readonly watch: keyof typeof watchers
}

export type WatchedApp = typeof verbs

answer(verbs)
