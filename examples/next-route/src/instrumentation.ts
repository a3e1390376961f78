/**
 * Next.js calls this once when a server starts, and not during a build, so it is the place to
 * migrate.
 */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME !== 'nodejs') return
  const { prepareDatabase } = await import('./database.ts')
  await prepareDatabase()
}
