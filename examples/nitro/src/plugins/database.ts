import { definePlugin } from 'nitro'
import '../database.ts'

// Nitro loads routes at their first request, and plugins before the server listens. So the database
// is migrated before there are requests.
export default definePlugin(() => {})
