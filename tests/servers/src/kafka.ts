import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Daemon, startDaemon } from './daemon.ts'
import { findProgram } from './program.ts'
import { waitFor } from './wait-for.ts'

export interface KafkaRecord {
  readonly key: string
  readonly value: string
  readonly headers: Readonly<Record<string, string>>
}

/**
 * A stand-in for a broker: the mock cluster of librdkafka, one broker that speaks the protocol of
 * Kafka and keeps everything in memory. It is no Kafka: it has no replicas, no limits and no disk.
 */
export interface KafkaStandIn {
  /** `127.0.0.1:<port>`. */
  readonly broker: string
  /** Everything that a topic has, in each partition in order. */
  read(topic: string): Promise<KafkaRecord[]>
  stop(): Promise<void>
}

export async function startKafkaStandIn(): Promise<KafkaStandIn> {
  const binary = await findProgram({ program: 'kcat', debianPackage: 'kcat', missing: MISSING })
  let log = ''
  // A consumer of nothing, for as long as the cluster inside of it is wanted.
  const args = ['-C', '-t', 'unused', '-b', 'unused:1', '-X', 'test.mock.num.brokers=1']
  const running: Daemon = startDaemon(
    binary,
    [...args, '-X', 'allow.auto.create.topics=true', '-d', 'mock', '-q'],
    {},
    (text) => {
      if (address() === undefined) log += text
    },
  )
  const address = (): string | undefined => /bootstrap\.servers=(127\.0\.0\.1:\d+)/.exec(log)?.[1]
  await waitFor(() => running.isGone() || address() !== undefined, { what: 'the mock cluster' })
  const broker = address()
  if (broker === undefined || running.isGone()) {
    await running.end()
    throw new Error(`kcat did not start a mock cluster. It says:\n${log}`)
  }
  return {
    broker,
    async read(topic) {
      const { stdout } = await promisify(execFile)(
        binary,
        ['-C', '-b', broker, '-t', topic, '-o', 'beginning', '-e', '-q', '-J'],
        { maxBuffer: 64 * 1024 * 1024 },
      )
      return stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => {
          const { key, payload, headers = [] } = JSON.parse(line)
          return { key, value: payload, headers: headersOf(headers) }
        })
    },
    stop: () => running.end(),
  }
}

/** kcat lists names and values in turn. */
function headersOf(list: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {}
  for (let at = 0; at + 1 < list.length; at += 2) headers[list[at] ?? ''] = list[at + 1] ?? ''
  return headers
}

const MISSING = `These tests run on the mock cluster of librdkafka, and there is no kcat on PATH. Install it:
  Debian, Ubuntu   sudo apt-get install kcat
  macOS            brew install kcat`
