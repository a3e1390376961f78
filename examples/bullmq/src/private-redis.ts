import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/**
 * Starts a redis-server that ends with this process, configured to be as durable as a single server
 * can be.
 */
export async function startPrivateRedis(): Promise<string> {
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'oncekey-example-'))
  const settings = {
    port: String(port),
    bind: '127.0.0.1',
    dir: folder,
    appendonly: 'yes',
    appendfsync: 'always',
    'maxmemory-policy': 'noeviction',
  }
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
  const redis = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] })
  process.on('exit', () => {
    // SIGTERM would make it save first, into a folder that is gone.
    redis.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit())
  try {
    await once(redis, 'spawn')
  } catch {
    console.error(`There is no redis-server on PATH. Set REDIS_URL, or install it:
  Debian, Ubuntu   sudo apt-get install redis-server
  macOS            brew install redis`)
    process.exit(1)
  }
  for await (const line of createInterface({ input: redis.stdout })) {
    if (line.includes('Ready to accept connections')) break
  }
  redis.stdout.resume()
  return `redis://127.0.0.1:${port}`
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  return port
}
