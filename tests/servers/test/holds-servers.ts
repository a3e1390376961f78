// Starts the given servers and never stops them, for tests of the watchdog.
import { dirname } from 'node:path'
import { startNats, startNode, startPostgres, startRedis } from '../src/index.ts'

const child = await startNode(new URL('./waits-for-ever.ts', import.meta.url))
const postgres = process.argv.includes('postgres') ? await startPostgres() : undefined
const nats = process.argv.includes('nats') ? await startNats() : undefined
const redis = process.argv.includes('redis') ? await startRedis() : undefined
const servers = [postgres, nats, redis].flatMap((server) => server ?? [])
const pids = [child.pid, ...servers.map((server) => server.pid())]
const data = postgres && dirname(postgres.dataDir)
const folders = [data, nats?.folder, redis?.folder].flatMap((folder) => folder ?? [])
console.log(JSON.stringify({ ready: true, pids, folders }))
if (process.argv.includes('throw')) setTimeout(() => Promise.reject(new Error('a crash')), 10)
