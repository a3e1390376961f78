// Starts what it is told to and never stops it, for tests of what becomes of that.
import { startNode, startPostgres } from '../src/index.ts'

const child = await startNode(new URL('./waits-for-ever.ts', import.meta.url))
const postgres = process.argv.includes('postgres') ? await startPostgres() : undefined
const pids = [child.pid, ...(postgres ? [postgres.pid()] : [])]
console.log(JSON.stringify({ ready: true, pids, dataDir: postgres?.dataDir }))
if (process.argv.includes('throw')) setTimeout(() => Promise.reject(new Error('a crash')), 10)
