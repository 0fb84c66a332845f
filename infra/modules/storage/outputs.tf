output "name" {
  description = "Name of the bucket, for ROCKPOOL_BUCKET."
  value       = google_storage_bucket.bucket.name
}
