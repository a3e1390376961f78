import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { findProgram } from './program.ts'
import { waitFor } from './wait-for.ts'

/** The path of `promtool`, which comes with Prometheus. */
export function findPromtool(): Promise<string> {
  return findProgram({ program: 'promtool', debianPackage: 'prometheus', missing: MISSING })
}

export interface Prometheus {
  /** The present result of an expression: a value for each series. */
  query(expression: string): Promise<{ labels: Record<string, string>; value: number }[]>
  stop(): Promise<void>
}

/** A Prometheus that scrapes `target` (host and port) every second. */
export async function startPrometheus(target: string): Promise<Prometheus> {
  await findPromtool()
  const program = await findProgram({
    program: 'prometheus',
    debianPackage: 'prometheus',
    missing: MISSING,
  })
  const folder = mkdtempSync(join(tmpdir(), 'oncekey-prometheus-'))
  const config = join(folder, 'prometheus.yml')
  writeFileSync(
    config,
    JSON.stringify({
      global: { scrape_interval: '1s' },
      scrape_configs: [{ job_name: 'shop', static_configs: [{ targets: [target] }] }],
    }),
  )
  const port = await freePort()
  const child = spawn(
    program,
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  )
  const exited = once(child, 'exit')
  const url = `http://127.0.0.1:${port}`
  await waitFor(async () => (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok === true, {
    what: 'Prometheus to be ready',
    timeoutMs: 60_000,
  })
  return {
    async query(expression) {
      const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expression)}`)
      const { status, error, data } = (await response.json()) as {
        status: string
        error?: string
        data: { result: { metric: Record<string, string>; value: [number, string] }[] }
      }
      if (status !== 'success') throw new Error(`${expression}: ${error}`)
      return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
    },
    async stop() {
      child.kill('SIGTERM')
      await exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const MISSING = `These tests run beside a real Prometheus, and there is no prometheus with promtool on PATH. Install it:
  Debian, Ubuntu   sudo apt-get install prometheus
  macOS            brew install prometheus`
