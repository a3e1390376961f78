import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type Daemon, startDaemon } from './daemon.ts'
import { freePort } from './free-port.ts'
import { findProgram } from './program.ts'
import { type Identity, unprivileged, unprivilegedFolder } from './unprivileged.ts'
import { waitFor } from './wait-for.ts'
import { watch } from './watchdog.ts'

export interface RabbitServer {
  url: string
  port: number
  /** The folder of this server's queues and logs; `stop` removes it. */
  folder: string
  pid(): number
  log(): string
  /** Runs `rabbitmqctl` on it: `ctl('set_vm_memory_high_watermark', 'absolute', '1MB')`. */
  ctl(...args: string[]): Promise<string>
  /** SIGKILL; resolves once the process is gone. */
  crash(): Promise<void>
  /**
   * Starts it again on the same port with the same queues; a running server is killed first. This
   * takes some 10 seconds.
   */
  restart(): Promise<void>
  stop(): Promise<void>
}

/**
 * Starts a RabbitMQ of our own, with its own node name, ports of 127.0.0.1 and files. It has no
 * management plugin and no epmd, because nobody needs to find the node by its name. `settings` go
 * into its rabbitmq.conf.
 */
export async function startRabbit(
  settings: Readonly<Record<string, string>> = {},
): Promise<RabbitServer> {
  const binary = await findRabbit()
  const identity = unprivileged()
  const folder = unprivilegedFolder('oncekey-rabbit-', identity)
  const unwatch = watch({ folder })
  const port = await freePort()
  const environment = environmentOf(folder, port, await freePort(), settings)
  let running: Daemon | undefined

  const log = (): string => {
    const file = join(folder, 'output.log')
    return existsSync(file) ? readFileSync(file, 'utf8').slice(-64 * 1024) : ''
  }
  const crash = async (): Promise<void> => {
    const ending = running
    running = undefined
    await ending?.end()
  }
  const server: RabbitServer = {
    url: `amqp://guest:guest@127.0.0.1:${port}`,
    port,
    folder,
    pid: () => {
      if (!running) throw new Error('This RabbitMQ is not running')
      return running.pid
    },
    log,
    async ctl(...args) {
      const program = join(dirname(binary), 'rabbitmqctl')
      const { stdout } = await promisify(execFile)(program, args, { env: environment, ...identity })
      return stdout
    },
    crash,
    restart: async () => {
      await crash()
      const started = run(binary, environment, folder, identity)
      try {
        await waitFor(() => started.isGone() || isOpen(port), {
          what: 'RabbitMQ to listen',
          timeoutMs: 120_000,
          intervalMs: 100,
        })
        if (started.isGone()) throw new Error('RabbitMQ ended while it started')
      } catch (cause) {
        await started.end()
        throw new Error(`RabbitMQ did not start on port ${port}. Its log:\n${log()}`, { cause })
      }
      running = started
    },
    stop: async () => {
      await crash()
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
      unwatch()
    },
  }
  try {
    await server.restart()
  } catch (error) {
    await server.stop()
    throw error
  }
  return server
}

/**
 * Debian's program on PATH is a wrapper that runs as `rabbitmq` in the machine's own folders, so
 * this finds the real one.
 */
async function findRabbit(): Promise<string> {
  const onPath = await findProgram({
    program: 'rabbitmq-server',
    debianPackage: 'rabbitmq-server',
    missing: MISSING,
  })
  const debians = '/usr/lib/rabbitmq/bin/rabbitmq-server'
  return existsSync(debians) ? debians : onPath
}

function environmentOf(
  folder: string,
  port: number,
  distribution: number,
  given: Readonly<Record<string, string>>,
): NodeJS.ProcessEnv {
  const settings = {
    'listeners.tcp.1': `127.0.0.1:${port}`,
    'log.console': 'true',
    'log.console.level': 'info',
    'disk_free_limit.absolute': '50MB',
    'vm_memory_high_watermark.absolute': '512MB',
    ...given,
  }
  const file = join(folder, 'rabbitmq.conf')
  writeFileSync(
    file,
    Object.entries(settings)
      .map(([name, value]) => `${name} = ${value}\n`)
      .join(''),
  )
  writeFileSync(join(folder, 'enabled_plugins'), '[].\n')
  appendFileSync(join(folder, 'output.log'), '')
  return {
    PATH: process.env.PATH,
    HOME: folder,
    RABBITMQ_NODENAME: `oncekey-${port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: `${port}`,
    RABBITMQ_DIST_PORT: `${distribution}`,
    RABBITMQ_CONFIG_FILE: file,
    RABBITMQ_CONF_ENV_FILE: join(folder, 'none'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(folder, 'config'),
    RABBITMQ_FEATURE_FLAGS_FILE: join(folder, 'feature_flags'),
    RABBITMQ_CTL_ERL_ARGS: `-start_epmd false -erl_epmd_port ${distribution} -dist_listen false`,
    // Keeps the Erlang machine from busy-waiting while it is idle.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false -erl_epmd_port ${distribution} +sbwt none`,
    ERL_EPMD_ADDRESS: '127.0.0.1',
  }
}

/** Runs the server's script, which becomes the Erlang machine and starts other processes. */
function run(binary: string, env: NodeJS.ProcessEnv, folder: string, identity: Identity): Daemon {
  const file = join(folder, 'output.log')
  return startDaemon(binary, [], { cwd: folder, env, ...identity }, (text) => {
    if (existsSync(folder)) appendFileSync(file, text)
  })
}

/**
 * Whether the server accepts connections: it then answers an unknown protocol with the protocol
 * that it wants.
 */
async function isOpen(port: number): Promise<boolean> {
  const socket = connect({ port, host: '127.0.0.1' })
  try {
    await once(socket, 'connect')
    socket.write('AMQP\0\0\0\0')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    return answer.toString().startsWith('AMQP')
  } finally {
    socket.destroy()
  }
}

const MISSING = `These tests run on a real RabbitMQ, and there is no rabbitmq-server on PATH. Install version 3.10 or newer:
  Debian, Ubuntu   sudo apt-get install rabbitmq-server
  macOS            brew install rabbitmq`
