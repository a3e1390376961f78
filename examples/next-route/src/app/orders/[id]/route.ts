import { notFound } from 'next/navigation'
import { db } from '../../../database.ts'

export async function GET(
  _: Request,
  { params }: { params: Promise<{ id: string }> },
): Promise<Response> {
  const { rows } = await db.query('select * from orders where id = $1', [(await params).id])
  return rows[0] === undefined ? notFound() : Response.json(rows[0])
}
