import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The orders API in a process of its own, so that it can be killed. */
export interface OrdersServer {
  readonly port: number
  readonly pid: number
  /** Resolves when the server has printed a line of JSON with this member. */
  said(member: string): Promise<Record<string, unknown>>
  /** SIGKILL: no handler runs, and nothing is flushed. */
  kill(): Promise<void>
  stop(): Promise<void>
}

/** Starts it and waits until it listens. Rejects with its output if it ends instead. */
export async function startOrdersServer(options: {
  readonly dataFolder: string
  readonly port?: number
  readonly slowWarehouse?: boolean
}): Promise<OrdersServer> {
  const { dataFolder, port = 0, slowWarehouse = false } = options
  const script = fileURLToPath(new URL('./server.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script, dataFolder, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...(slowWarehouse && { SLOW_WAREHOUSE: '1' }) },
  })
  process.once('exit', () => child.kill('SIGKILL'))
  const said = listen(child)
  const ready = await said('port')
  const ended = () =>
    child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined
  return {
    port: ready.port as number,
    pid: child.pid as number,
    said,
    async kill() {
      child.kill('SIGKILL')
      await ended()
    },
    async stop() {
      child.kill('SIGTERM')
      await ended()
    },
  }
}

function listen(child: ChildProcess): OrdersServer['said'] {
  const lines: Record<string, unknown>[] = []
  const waiting = new Set<() => void>()
  const wake = () => {
    for (const look of waiting) look()
  }
  let over = false
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    lines.push(JSON.parse(line) as Record<string, unknown>)
    wake()
  })
  child.once('exit', () => {
    over = true
    wake()
  })
  return (member) =>
    new Promise((resolve, reject) => {
      const look = () => {
        const found = lines.find((line) => member in line)
        if (found === undefined && !over) return
        waiting.delete(look)
        if (found === undefined) reject(new Error(`The server ended before it said "${member}".`))
        else resolve(found)
      }
      waiting.add(look)
      look()
    })
}
