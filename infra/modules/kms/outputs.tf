output "key" {
  description = "Id of the key, once every Google service that needs it may use it."
  value       = google_kms_crypto_key.data.id
  depends_on  = [google_kms_crypto_key_iam_member.agent]
}
