import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dashboard } from '@oncekey/dashboard'
import { toNode } from '@oncekey/dashboard/node'
import { actorOf } from '../act/actor.ts'
import { usageError } from '../command/cli-error.ts'
import type { Call, Command } from '../command/command.ts'
import { ExitCode } from '../command/exit-code.ts'
import { SEAL_KEY_FILE, sealKeysIn } from '../connection/seal-keys.ts'
import { sourcesOf } from '../dashboard/sources.ts'
import { bearerOrBasic, newToken } from '../dashboard/token.ts'

export const dashboardCommand: Command = {
  path: 'dashboard',
  summary: 'Serve the dashboard for the server that is named, until Ctrl-C',
  details:
    'Whoever has the token may see and do everything: it is in the address that is printed. ONCEKEY_TOKEN\n' +
    'sets it; else it is new each time. Only this machine reaches it unless --host says otherwise; in\n' +
    'front of others it belongs behind TLS, or mounted in your application behind your own login.',
  server: 'postgres-or-redis',
  endsItself: true,
  options: {
    port: { value: 'number', help: 'Where to listen; 0 for any that is free. Default: 4983.' },
    host: { value: 'address', help: 'On which address to listen. Default: 127.0.0.1.' },
    'read-only': { help: 'To look, and to do nothing.' },
    actor: {
      value: 'who',
      help: 'Who acts, in the audit. Default: ONCEKEY_ACTOR, else your login and this host.',
    },
    ...SEAL_KEY_FILE,
  },
  examples: ['dashboard', 'dashboard --port 8080 --read-only'],
  run: serveDashboard,
}

async function serveDashboard(call: Call): Promise<ExitCode> {
  const { given, out, signal } = call
  const actor = actorOf(given)
  const token = process.env.ONCEKEY_TOKEN || newToken()
  const path = given.text('seal-key-file')
  const show = dashboard({
    ...(await sourcesOf(call)),
    ...(path !== undefined && { seal: await sealKeysIn(path) }),
    authorize: bearerOrBasic(token, {
      actor,
      may: given.flag('read-only') ? 'read-only' : 'all',
    }),
  })
  const server = createServer(toNode(show))
  const port = await listening(
    server,
    given.whole('port', 0, 65_535) ?? 4_983,
    given.text('host') ?? '127.0.0.1',
  )
  const host = given.text('host') ?? '127.0.0.1'
  const shownHost = host.includes(':') ? `[${host}]` : host
  const url = `http://${shownHost}:${port}/`
  await out.item({ url, token }, (page) => {
    page.line`The dashboard is at http://oncekey:${token}@${shownHost}:${port}/`
    page.line`For oncekey in another terminal: ONCEKEY_URL=${url} ONCEKEY_TOKEN=${token}`
  })
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve())
  })
  server.closeAllConnections()
  server.close()
  return ExitCode.interrupted
}

async function listening(server: Server, port: number, host: string): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const hint =
        error.code === 'EADDRINUSE' ? ': something listens there. Take another --port' : ''
      reject(usageError(`--port ${port} on ${host} cannot be had (${error.code})${hint}.`))
    })
    server.listen(port, host, resolve)
  })
  return (server.address() as AddressInfo).port
}
