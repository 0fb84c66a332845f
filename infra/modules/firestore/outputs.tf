output "database_id" {
  description = "Name of the database, for ROCKPOOL_FIRESTORE_DATABASE."
  value       = google_firestore_database.database.name
}
